"""The plan: what is bought, what is carried on, kept, renamed or held, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from veopipe.plan import words as sentences
from veopipe.plan.plan import Action, Item, Plan, Wanted, World
from veopipe.plan.planner import make_plan
from veopipe.profiles.reading import built_in
from veopipe.takes.order import Order, OrderedPicture
from veopipe.takes.status import CARRIED_ON, CHARGED, SETTLED, UNKNOWN_OUTCOME, Status
from veopipe.takes.take import Attempt, Delivered, ShotState, Take

REAL = "https://api.laozhang.ai:443"
OTHER = "https://other.example:443"
LOCAL = "http://127.0.0.1:8080"
FAST = built_in().models["veo-3.1-fast-generate-preview"]
ORDER = Order(FAST.name, "A lighthouse", 8, "1080p", "16:9", None, None, (), 1)
EDITED = replace(ORDER, prompt="A lighthouse at dawn")
SINCE = "2026-11-22T06:00:00Z"
FILE = Delivered("renders", "hero.001.mp4", "b" * 64, 1234)


def attempt(status: Status, number: int = 1, **more: Any) -> Attempt:
    task = f"task_{number}" if status in CHARGED else None
    facts = {"gateway": REAL, "price_usd": Decimal("0.3"), "submitted_at": SINCE, "settled_at": SINCE, "task_id": task}
    return Attempt(number=number, status=status, **{"run": "r1", **facts, **more})


def take(*attempts: Attempt | Status, order: Order = ORDER, number: int = 1) -> Take:
    made = tuple(attempt(one, n) if isinstance(one, Status) else one for n, one in enumerate(attempts, 1))
    file = FILE if made[-1].status in {Status.VERIFIED, Status.MISMATCHED, Status.DOWNLOADED} else None
    return Take(number, order.fingerprint(), order, made, file)


def planned(
    wanted: Order | Mapping[str, Order], *takes: Take, states: Mapping[str, ShotState] | None = None, **more: Any
) -> Plan:
    """The plan for one shot `hero` with these takes, or for the shots and states given."""
    orders = {"hero": wanted} if isinstance(wanted, Order) else wanted
    departed_too = more.pop("departed_too", True)
    world = {
        "states": states if states is not None else {"hero": ShotState("hero", takes)} if takes else {},
        "unreadable": {},
        "strays": {},
        "gateway": REAL,
        "retry_all": False,
        "retry_failed": 0,
        "manifest_ids": orders.keys(),
    }
    uses = more.pop("uses", {})
    shots = {shot: Wanted(shot, order, FAST, uses=frozenset(uses.get(shot, ()))) for shot, order in orders.items()}
    return make_plan(shots, World(**{**world, **more}), departed_too=departed_too)


def only(plan: Plan) -> Item:
    assert len(plan.items) == 1, plan.items
    return plan.items[0]


# --- one shot, one take ----------------------------------------------------------------------------


def test_a_new_shot_is_created() -> None:
    item = only(planned(ORDER))

    assert (item.action, item.reason, item.number, item.attempt) == (Action.CREATE, "new", 1, 1)
    assert (item.buys, item.cost_usd, item.status, item.bought_before) == (True, Decimal("0.3"), None, False)
    assert item.google_usd == Decimal("0.96")


def test_googles_price_is_never_guessed() -> None:
    assert only(planned(replace(ORDER, resolution="720p"))).google_usd is None
    assert only(planned(replace(ORDER, resolution="4k"))).google_usd == Decimal("2.40")
    assert only(planned(replace(ORDER, resolution="720p", seconds=4))).google_usd is None


@pytest.mark.parametrize("status", sorted(CARRIED_ON))
def test_what_is_paid_and_open_is_carried_on_for_nothing(status: Status) -> None:
    item = only(planned(ORDER, take(status)))

    assert (item.action, item.cost_usd, item.wanted) == (Action.CONTINUE, 0, True)
    assert item.reason == f"{status} since {SINCE}"


@pytest.mark.parametrize("status", sorted(UNKNOWN_OUTCOME))
@pytest.mark.parametrize("retry_all", [False, True], ids=["plainly", "with --retry-failed"])
def test_what_is_in_doubt_is_held_whatever_is_asked_for(status: Status, retry_all: bool) -> None:
    item = only(planned(ORDER, take(status), retry_all=retry_all, retry_failed=9))

    assert (item.action, item.cost_usd) == (Action.HOLD, 0)
    assert item.reason == f"in doubt since {SINCE}; look it up at the gateway, then say with resolve what became of it"


KEPT = {
    Status.VERIFIED: "verified",
    Status.MISMATCHED: "mismatched: 1080p instead of 4k; raise take to order another",
    Status.ABANDONED: "abandoned: 1080p instead of 4k; raise take to order another",
    Status.REFUSED: "refused: 1080p instead of 4k; --retry-failed orders another attempt",
    Status.FAILED: "failed: 1080p instead of 4k; --retry-failed orders another attempt",
}


@pytest.mark.parametrize(("status", "reason"), KEPT.items())
def test_what_is_settled_is_never_bought_again_by_itself(status: Status, reason: str) -> None:
    scope = "shot" if status is Status.REFUSED else None
    item = only(planned(ORDER, take(attempt(status, message="1080p instead of 4k", scope=scope))))

    assert (item.action, item.reason, item.cost_usd) == (Action.KEEP, reason, 0)


@pytest.mark.parametrize("status", sorted({Status.VERIFIED, Status.MISMATCHED, Status.ABANDONED}))
def test_no_option_buys_a_delivered_or_abandoned_take_again(status: Status) -> None:
    assert only(planned(ORDER, take(status), retry_all=True, retry_failed=9)).action is Action.KEEP


# --- further attempts ------------------------------------------------------------------------------


def test_retry_failed_orders_another_attempt_of_what_failed() -> None:
    item = only(planned(ORDER, take(attempt(Status.FAILED, message="policy")), retry_all=True))

    assert (item.action, item.reason, item.number, item.attempt) == (Action.RETRY, "failed: policy", 1, 2)
    assert (item.bought_before, item.status) == (True, Status.FAILED)


@pytest.mark.parametrize(("failures", "allowed", "again"), [(1, 0, False), (1, 1, True), (2, 1, False), (2, 2, True)])
def test_the_pipeline_allows_as_many_further_attempts_as_it_says(failures: int, allowed: int, again: bool) -> None:
    item = only(planned(ORDER, take(*[Status.FAILED] * failures), retry_failed=allowed))

    assert item.buys is again
    assert item.attempt == failures + 1


def test_refusals_do_not_use_up_the_further_attempts() -> None:
    item = only(planned(ORDER, take(Status.REFUSED, Status.FAILED, Status.REFUSED, Status.FAILED), retry_failed=2))

    assert (item.action, item.attempt) == (Action.RETRY, 3)


@pytest.mark.parametrize(
    ("scope", "again"), [("account", True), ("throttle", True), ("not_charged", True), ("shot", False), (None, False)]
)
def test_a_refusal_is_tried_again_unless_it_is_about_the_shot(scope: str | None, again: bool) -> None:
    item = only(planned(ORDER, take(attempt(Status.REFUSED, scope=scope))))

    assert item.action is (Action.RETRY if again else Action.KEEP)
    assert (item.attempt, item.bought_before) == (1, False)


def test_retry_failed_repeats_a_refusal_about_the_shot() -> None:
    item = only(planned(ORDER, take(attempt(Status.REFUSED, scope="shot")), retry_all=True))

    assert (item.action, item.attempt, item.bought_before) == (Action.RETRY, 1, False)


def test_a_failure_before_a_refusal_was_perhaps_paid() -> None:
    item = only(planned(ORDER, take(Status.FAILED, attempt(Status.REFUSED, 2, scope="throttle"))))

    assert (item.action, item.attempt, item.bought_before) == (Action.RETRY, 2, True)


# --- edits -----------------------------------------------------------------------------------------


def test_an_edited_shot_is_a_new_take_bought_on_top() -> None:
    item = only(planned(EDITED, take(Status.VERIFIED)))

    assert (item.action, item.reason, item.number) == (Action.CREATE, "prompt changed", 2)
    assert item.bought_before


def test_every_change_is_named() -> None:
    changed = replace(EDITED, seed=7, pictures=(OrderedPicture("input_reference", "a" * 64),), take=2)

    assert only(planned(changed, take(Status.VERIFIED))).reason == "prompt and seed and pictures and take changed"


def test_a_raised_take_is_another_one_of_the_same() -> None:
    item = only(planned(replace(ORDER, take=2), take(Status.VERIFIED)))

    assert (item.action, item.reason, item.number, item.bought_before) == (Action.CREATE, "take 2 ordered", 2, True)


def test_going_back_to_an_earlier_text_pays_nothing() -> None:
    plan = planned(ORDER, take(Status.VERIFIED), take(Status.VERIFIED, order=EDITED, number=2))

    assert (only(plan).action, only(plan).number) == (Action.KEEP, 1)


def test_an_edit_of_what_was_only_refused_buys_nothing_twice() -> None:
    assert not only(planned(EDITED, take(attempt(Status.REFUSED, scope="shot")))).bought_before


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.REFUSED} - UNKNOWN_OUTCOME))
def test_an_edit_of_what_may_have_cost_money_says_so(status: Status) -> None:
    assert planned(EDITED, take(status)).items[0].bought_before


@pytest.mark.parametrize("status", sorted(CARRIED_ON))
def test_an_older_take_that_is_still_open_is_carried_on_beside_the_new_one(status: Status) -> None:
    new, old = planned(EDITED, take(status)).items

    assert (new.action, new.number, new.wanted) == (Action.CREATE, 2, True)
    assert (old.action, old.number, old.wanted, old.order) == (Action.CONTINUE, 1, False, None)


@pytest.mark.parametrize("status", sorted(UNKNOWN_OUTCOME))
def test_an_edited_shot_gets_no_new_take_while_one_is_in_doubt(status: Status) -> None:
    item = only(planned(EDITED, take(status), retry_all=True))

    assert (item.action, item.number, item.wanted, item.cost_usd) == (Action.HOLD, 1, False, 0)


def test_no_further_attempt_is_made_beside_a_take_in_doubt() -> None:
    takes = take(Status.FAILED), take(Status.IN_DOUBT, order=EDITED, number=2)

    assert only(planned(ORDER, *takes, retry_all=True)).action is Action.HOLD


@pytest.mark.parametrize("status", sorted({Status.VERIFIED, Status.MISMATCHED} | CARRIED_ON))
def test_a_take_in_doubt_hides_no_wanted_take(status: Status) -> None:
    wanted, doubt = planned(ORDER, take(status), take(Status.IN_DOUBT, order=EDITED, number=2)).items

    assert (wanted.number, wanted.wanted, wanted.status) == (1, True, status)
    assert (doubt.number, doubt.wanted, doubt.action) == (2, False, Action.HOLD)


# --- held ------------------------------------------------------------------------------------------


def test_an_unreadable_state_file_holds_its_shot_only() -> None:
    plan = planned({"hero": ORDER, "other": ORDER}, states={}, unreadable={"hero": "it isn't JSON"})

    held, bought = plan.items
    assert (held.action, held.reason) == (Action.HOLD, "its state file can't be understood: it isn't JSON")
    assert (held.cost_usd, bought.action) == (0, Action.CREATE)


def test_takes_that_nobody_knows_hold_their_shot() -> None:
    item = only(planned(ORDER, strays={"hero": "renders/shots/takes/hero.001.mp4"}))

    assert item.action is Action.HOLD
    assert item.reason == (
        "there is renders/shots/takes/hero.001.mp4, but no state file that knows it: "
        "bring that back, from git or a backup"
    )


# --- gateways --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(CARRIED_ON - {Status.DOWNLOADED}))
def test_a_take_of_another_gateway_waits_for_a_run_there(status: Status) -> None:
    item = only(planned(ORDER, take(attempt(status, gateway=OTHER))))

    assert (item.action, item.cost_usd) == (Action.HOLD, 0)
    how = f"carry it on with the pipeline of that gateway, or --base-url {OTHER} if it takes this key"
    assert item.reason == f"{status} at {OTHER}; {how}"


def test_a_downloaded_take_needs_no_gateway() -> None:
    assert only(planned(ORDER, take(attempt(Status.DOWNLOADED, gateway=OTHER)))).action is Action.CONTINUE


def test_a_take_of_another_real_gateway_satisfies() -> None:
    assert only(planned(ORDER, take(attempt(Status.VERIFIED, gateway=OTHER)))).action is Action.KEEP


@pytest.mark.parametrize("local", [LOCAL, "http://localhost:80", "http://[::1]:8080", "https://127.0.0.2:443"])
@pytest.mark.parametrize("status", [Status.VERIFIED, Status.MISMATCHED, Status.PARKED, Status.FAILED])
def test_a_take_of_this_machine_satisfies_no_real_run_and_is_named_before_it_is_bought_again(
    local: str, status: Status
) -> None:
    plan = planned(ORDER, take(attempt(status, gateway=local)))
    item = plan.items[0]

    assert (item.action, item.number, item.bought_before, item.bought_at) == (Action.CREATE, 2, False, local)
    bought = "ordered" if status is Status.FAILED else "bought"
    assert item.reason == f"already {bought} at {local} (take 1: {status}), which satisfies no run elsewhere"
    (words,) = sentences.elsewhere_words(plan)
    if status in {Status.VERIFIED, Status.PARKED}:
        assert words.startswith(f"1 shot was already bought at {local}, perhaps the same")
        assert f"this buys it again for $0.30; with --base-url {local} it is kept" in words
    else:
        assert words.startswith(f"1 shot was already ordered at {local}, perhaps billed, ")
        assert "kept" not in words
    assert words.endswith(" (if that was `veopipe simulate`, nothing was paid)")


@pytest.mark.parametrize(
    "after", [attempt(Status.REFUSED, scope="account"), attempt(Status.REFUSED, scope="shot"), attempt(Status.FAILED)]
)
def test_what_was_bought_on_this_machine_is_named_after_an_attempt_elsewhere_too(after: Attempt) -> None:
    first = take(attempt(Status.VERIFIED, gateway=LOCAL))

    plan = planned(ORDER, first, take(after, number=2), retry_all=True)

    item = plan.items[0]
    assert (item.action, item.number, item.bought_at, plan.again) == (Action.RETRY, 2, LOCAL, [])
    assert sentences.elsewhere_words(plan)[0].startswith(f"1 shot was already bought at {LOCAL}, ")


def test_what_was_bought_on_this_machine_is_named_though_a_rehearsal_went_better() -> None:
    rehearsed = take(attempt(Status.VERIFIED, gateway="simulator"), number=2)

    assert planned(ORDER, take(attempt(Status.PARKED, gateway=LOCAL)), rehearsed).items[0].bought_at == LOCAL


@pytest.mark.parametrize("verdict", [Status.VERIFIED, Status.REFUSED])
def test_what_buys_nothing_names_no_gateway_of_this_machine(verdict: Status) -> None:
    second = take(attempt(verdict, scope="shot"), number=2)

    assert only(planned(ORDER, take(attempt(Status.VERIFIED, gateway=LOCAL)), second)).bought_at is None


def test_going_back_to_a_text_that_was_bought_on_this_machine_is_named_though_a_later_take_is_of_another() -> None:
    first, later = take(attempt(Status.VERIFIED, gateway=LOCAL)), take(Status.VERIFIED, number=2, order=EDITED)

    item = only(planned(ORDER, first, later))

    assert (item.action, item.number, item.bought_before, item.bought_at) == (Action.CREATE, 3, True, LOCAL)
    assert planned(ORDER, first, later).again == []


@pytest.mark.parametrize("other", ["simulator", LOCAL])
def test_a_rehearsal_or_a_refusal_is_never_named_as_bought(other: str) -> None:
    status = Status.VERIFIED if other == "simulator" else Status.REFUSED
    plan = planned(ORDER, take(attempt(status, gateway=other, scope="shot")))

    assert only(plan).bought_at is None
    assert only(plan).reason == f"its take was made at {other}, which satisfies no real run"
    assert sentences.elsewhere_words(plan) == []


def test_takes_of_several_gateways_on_this_machine_are_named_one_by_one() -> None:
    states = {name: ShotState(name, (take(attempt(Status.VERIFIED, gateway=LOCAL)),)) for name in ("a", "b")}
    states["c"] = ShotState("c", (take(attempt(Status.VERIFIED, gateway="http://localhost:3000")),))

    first, second = sentences.elsewhere_words(planned(dict.fromkeys("abc", ORDER), states=states))

    assert first.startswith(f"2 shots were already bought at {LOCAL}, ")
    assert f"buys them again for $0.60; with --base-url {LOCAL} they are kept (if" in first
    assert second.startswith("1 shot was already bought at http://localhost:3000, ")


@pytest.mark.parametrize(
    "near", ["https://192.168.1.5:443", "https://host.docker.internal:443", "https://0.0.0.0:443", OTHER]
)
def test_a_take_of_a_gateway_that_is_not_this_machine_is_no_take_of_this_machine(near: str) -> None:
    plan = planned(ORDER, take(attempt(Status.VERIFIED, gateway=near)))

    assert (only(plan).action, sentences.elsewhere_words(plan)) == (Action.KEEP, [])


def test_a_take_in_doubt_on_this_machine_holds_its_shot_everywhere() -> None:
    for wanted in (ORDER, EDITED):
        plan = planned(wanted, take(attempt(Status.IN_DOUBT, gateway=LOCAL)))

        item = only(plan)
        assert (item.action, item.number, item.wanted, plan.creates) == (Action.HOLD, 1, wanted is ORDER, [])


def test_a_take_of_this_machine_satisfies_a_run_on_this_machine() -> None:
    plan = planned(ORDER, take(attempt(Status.VERIFIED, gateway="http://127.0.0.1:9")), gateway=LOCAL)

    assert only(plan).action is Action.KEEP


def test_a_real_take_satisfies_a_run_on_this_machine() -> None:
    assert only(planned(ORDER, take(Status.VERIFIED), gateway=LOCAL)).action is Action.KEEP


def test_commands_that_only_look_take_every_take_as_it_is() -> None:
    for gateway in (LOCAL, OTHER):
        item = only(planned(ORDER, take(attempt(Status.RENDERING, gateway=gateway)), gateway=None))
        assert item.action is Action.CONTINUE


def test_the_best_of_several_takes_of_one_order_counts() -> None:
    rehearsed, real = take(attempt(Status.MISMATCHED, gateway=LOCAL)), take(Status.VERIFIED, number=2)

    assert only(planned(ORDER, rehearsed, real, gateway=LOCAL)).number == 2
    assert only(planned(ORDER, take(Status.VERIFIED), take(Status.FAILED, number=2), retry_all=True)).number == 1


# --- shots that come and go ------------------------------------------------------------------------


def test_a_renamed_shot_takes_its_state_over() -> None:
    plan = planned({"new": ORDER}, states={"old": ShotState("old", (take(Status.VERIFIED),))})

    item = only(plan)
    assert (item.action, item.renamed_from, item.reason) == (Action.RENAME, "old", "was old; verified")
    assert (item.cost_usd, plan.renames) == (0, [item])


def test_a_renamed_shot_is_carried_on_under_its_new_name() -> None:
    item = only(planned({"new": ORDER}, states={"old": ShotState("old", (take(Status.RENDERING),))}))

    assert (item.action, item.status, item.shot) == (Action.RENAME, Status.RENDERING, "new")


def test_a_renamed_shot_stays_in_doubt() -> None:
    item = only(planned({"new": ORDER}, states={"old": ShotState("old", (take(Status.IN_DOUBT),))}))

    assert (item.action, item.renamed_from) == (Action.HOLD, "old")


def test_a_renamed_shot_may_be_tried_again() -> None:
    item = only(planned({"new": ORDER}, states={"old": ShotState("old", (take(Status.FAILED),))}, retry_all=True))

    assert (item.action, item.renamed_from, item.attempt) == (Action.RETRY, "old", 2)


def test_an_id_in_another_case_is_the_same_shot_whatever_its_text() -> None:
    def edited(**more: Any) -> Item:
        return only(planned({"hero": EDITED}, **more))

    paid = edited(states={"Hero": ShotState("Hero", (take(Status.VERIFIED),))})
    assert (paid.renamed_from, paid.action, paid.number, paid.bought_before) == ("Hero", Action.CREATE, 2, True)
    doubt = edited(states={"Hero": ShotState("Hero", (take(Status.IN_DOUBT),))})
    assert (doubt.renamed_from, doubt.action) == ("Hero", Action.HOLD)
    assert edited(states={}, unreadable={"Hero": "torn"}).action is Action.HOLD


def test_a_state_is_taken_over_once() -> None:
    old = ShotState("old", (take(Status.VERIFIED), take(Status.VERIFIED, order=EDITED, number=2)))
    plan = planned({"one": ORDER, "two": ORDER, "three": EDITED}, states={"old": old})

    assert [item.action for item in plan.items] == [Action.RENAME, Action.CREATE, Action.CREATE]


def test_two_states_of_one_order_are_taken_over_by_two_shots() -> None:
    states = {name: ShotState(name, (take(Status.VERIFIED),)) for name in ("old-a", "old-b")}
    plan = planned({"one": ORDER, "two": ORDER}, states=states)

    assert [item.renamed_from for item in plan.items] == ["old-a", "old-b"]


def test_a_shot_that_is_still_in_the_list_keeps_its_state() -> None:
    plan = planned(
        {"new": ORDER},
        states={"old": ShotState("old", (take(Status.VERIFIED),))},
        manifest_ids={"new", "old"},
        departed_too=False,
    )

    assert only(plan).action is Action.CREATE


def verified(**orders: Order) -> dict[str, ShotState]:
    """Shots that each have one verified take."""
    return {shot: ShotState(shot, (take(Status.VERIFIED, order=order),)) for shot, order in orders.items()}


A, B, C = (replace(ORDER, prompt=prompt) for prompt in ("a", "b", "c"))
NEW = replace(ORDER, prompt="new")


@pytest.mark.parametrize(
    ("now", "moves", "bought"),
    [
        pytest.param({"a": B, "b": A}, {"a": "b", "b": "a"}, [], id="two changed places"),
        pytest.param({"a": B, "b": C, "c": A}, {"a": "b", "b": "c", "c": "a"}, [], id="round in a circle"),
        pytest.param({"a": NEW, "b": A, "c": B, "d": C}, {"b": "a", "c": "b", "d": "c"}, ["a"], id="one put in front"),
        pytest.param({"a": B, "b": C}, {"a": "b", "b": "c", "c": "a"}, [], id="the first taken out"),
        pytest.param(
            {"a": NEW, "b": A, "c": C}, {"a": "b", "b": "a"}, ["a"], id="a text moved, a new one in its place"
        ),
        pytest.param({"a": A, "b": A, "c": C}, {}, ["b"], id="a text wanted twice"),
        pytest.param({"a": C, "b": B}, {"a": "c", "c": "a"}, [], id="the text of one that left"),
    ],
)
def test_shots_that_changed_ids_keep_what_was_bought(
    now: dict[str, Order], moves: dict[str, str], bought: list[str]
) -> None:
    plan = planned(now, states=verified(a=A, b=B, c=C))

    assert plan.moves == moves
    assert [item.shot for item in plan.creates] == bought


def test_a_shot_that_still_wants_an_order_of_its_own_gives_its_state_to_nobody() -> None:
    both = ShotState("a", (take(Status.VERIFIED, order=A), take(Status.VERIFIED, order=B, number=2)))

    plan = planned({"a": B, "new": A}, states={"a": both})
    assert ([item.action for item in plan.items], plan.moves) == ([Action.KEEP, Action.CREATE], {})


def test_a_doubt_goes_where_its_order_goes() -> None:
    states = {"a": ShotState("a", (take(Status.IN_DOUBT, order=A),)), **verified(b=B)}
    first, second = planned({"a": B, "b": A}, states=states).items

    assert (first.action, first.reason) == (Action.RENAME, "was b; verified")
    assert (second.action, second.renamed_from) == (Action.HOLD, "a")


def test_shots_that_are_not_selected_neither_give_nor_take() -> None:
    plan = planned({"b": A}, states=verified(a=A, b=B), manifest_ids={"a", "b"}, departed_too=False)

    assert (plan.moves, [item.action for item in plan.items]) == ({}, [Action.CREATE])


def test_a_shot_with_an_unreadable_state_takes_no_other_over() -> None:
    states = {"old": ShotState("old", (take(Status.VERIFIED),))}
    item = planned({"new": ORDER}, states=states, unreadable={"new": "torn"}).items[0]

    assert (item.action, item.renamed_from) == (Action.HOLD, None)


def test_open_takes_of_a_shot_that_left_are_carried_on() -> None:
    states = {"gone": ShotState("gone", (take(Status.RENDERING, order=EDITED), take(Status.VERIFIED, number=2)))}
    kept, left = planned({"other": replace(ORDER, seed=1)}, states=states).items

    assert kept.shot == "other"
    assert (left.shot, left.action, left.wanted, left.number) == ("gone", Action.CONTINUE, False, 1)


def test_shots_that_left_are_left_alone_when_shots_were_selected() -> None:
    states = {"gone": ShotState("gone", (take(Status.RENDERING, order=EDITED),))}

    assert only(planned({"other": replace(ORDER, seed=1)}, states=states, departed_too=False)).shot == "other"


# --- the whole plan --------------------------------------------------------------------------------


def test_takes_never_tried_are_created_first_in_the_lists_order() -> None:
    orders = {name: replace(ORDER, seed=number) for number, name in enumerate("abcd")}
    states = {"a": ShotState("a", (take(Status.FAILED, order=orders["a"]),))}
    plan = planned(orders, states=states, retry_all=True)

    assert [item.shot for item in plan.creates] == ["b", "c", "d", "a"]
    assert [item.shot for item in plan.items] == ["a", "b", "c", "d"]


def test_the_cost_is_the_sum_of_the_creates() -> None:
    orders = {"a": ORDER, "b": EDITED}
    plan = planned(orders, states={"a": ShotState("a", (take(Status.VERIFIED),))}, retry_failed=2)

    assert plan.cost_usd == Decimal("0.3")
    assert plan.worst_usd == Decimal("0.9")


def test_the_worst_case_counts_what_is_carried_on_and_may_fail() -> None:
    plan = planned(ORDER, take(Status.RENDERING), retry_failed=1)

    assert (plan.cost_usd, plan.worst_usd) == (0, Decimal("0.3"))
    assert planned(ORDER, take(Status.RENDERING)).worst_usd == 0


def test_what_is_bought_again_is_said_in_one_sentence() -> None:
    states = {name: ShotState(name, (take(Status.VERIFIED),)) for name in ("a", "b")}

    assert sentences.bought_words(planned({"a": EDITED, "b": EDITED}, states=states)) == (
        "2 shots were already bought; this buys them again: $0.60 (prompt changed)"
    )
    assert sentences.bought_words(planned(EDITED, take(Status.VERIFIED))) == (
        "1 shot was already bought; this buys it again: $0.30 (prompt changed)"
    )
    assert sentences.bought_words(planned(ORDER)) is None


def test_what_is_bought_again_is_told_by_the_texts_that_all_of_it_uses() -> None:
    states = {name: ShotState(name, (take(Status.VERIFIED),)) for name in "abcd"}
    orders = {"a": EDITED, "b": EDITED, "c": replace(EDITED, seed=7), "d": ORDER}
    plan = planned(orders, states=states, uses={"a": {"look", "keeper"}, "b": {"look"}, "c": {"x", "y"}, "d": {"x"}})

    assert sentences.causes_words(plan) == [
        "prompt changed: 2 shots, $0.60, all of them use `look`",
        "prompt and seed changed: 1 shot, $0.30, it uses `x` and `y`",
    ]


@pytest.mark.parametrize(
    ("wanted", "made"),
    [
        (ORDER, ()),
        (ORDER, (take(Status.VERIFIED),)),
        (replace(ORDER, seed=7), (take(Status.VERIFIED),)),
        (replace(ORDER, take=2), (take(Status.VERIFIED),)),
        (ORDER, (take(attempt(Status.FAILED)),)),
        (EDITED, (take(attempt(Status.REFUSED, scope="shot")),)),
    ],
    ids=["new", "kept", "another seed", "another take", "tried again", "nothing was paid"],
)
def test_what_no_edit_of_a_text_buys_again_is_no_text_s_doing(wanted: Order, made: tuple[Take, ...]) -> None:
    plan = planned(wanted, *made, retry_all=True, uses={"hero": {"look"}})

    assert sentences.causes_words(plan) == []


def test_shots_without_a_text_in_common_have_none_for_a_cause() -> None:
    states = {name: ShotState(name, (take(Status.VERIFIED),)) for name in "ab"}

    assert planned({"a": EDITED, "b": EDITED}, states=states, uses={"a": {"look"}}).causes == []


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("wanted", [ORDER, EDITED], ids=["as ordered", "edited"])
@pytest.mark.parametrize("gateway", [REAL, LOCAL, None])
@pytest.mark.parametrize("made_at", [REAL, OTHER, LOCAL])
def test_no_order_that_has_a_take_is_bought_again_without_being_asked(
    status: Status, wanted: Order, gateway: str | None, made_at: str
) -> None:
    """The promise, over everything: a create needs a new order, a refusal, or a take that was only a rehearsal."""
    plan = planned(wanted, take(attempt(status, gateway=made_at)), gateway=gateway)

    rehearsed = made_at == LOCAL and gateway == REAL
    if status in UNKNOWN_OUTCOME or (wanted is ORDER and not rehearsed):
        assert not plan.creates
    else:
        assert len(plan.creates) == 1
    assert {item.number for item in plan.items if item.buys} <= {2}
    if status not in SETTLED:
        assert 1 in {item.number for item in plan.items}


def test_a_new_shot_may_be_one_that_left_with_a_state_nobody_understands() -> None:
    left, still_there = {"old": "it isn't JSON"}, {"hero": "it isn't JSON"}

    held = only(planned(ORDER, unreadable=left))
    assert (held.action, held.reason) == (
        Action.HOLD,
        "it may be old under a new id, whose state file can't be understood",
    )
    assert only(planned(ORDER, take(Status.VERIFIED), unreadable=left)).action is Action.KEEP
    both = planned({"hero": ORDER, "new": ORDER}, unreadable=still_there)
    assert [item.action for item in both.items] == [Action.HOLD, Action.CREATE]
