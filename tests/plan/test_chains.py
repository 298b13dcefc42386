"""Shots that continue from others: what is bought, what waits, what is stale, and what a refresh costs.

The last part compares the plan with a model of the rules (docs/film.md) that shares no code with it, over random edits,
retakes, verdicts, refreshes and runs that are killed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from tests.harness.breadth import cases
from tests.harness.figures import LONG
from veopipe.plan.plan import Action, Chaining, Item, Plan, Wanted, World
from veopipe.plan.planner import make_plan
from veopipe.profiles.reading import built_in
from veopipe.takes.chain import in_order
from veopipe.takes.order import Order, OrderedPicture
from veopipe.takes.status import CHARGED, Status
from veopipe.takes.take import Attempt, Delivered, ShotState, Take
from veopipe.takes.verdict import Review, Reviews, Verdict

REAL = "https://api.laozhang.ai:443"
FAST = built_in().models["veo-3.1-fast-generate-preview"]
SINCE = "2026-11-22T06:00:00Z"


def shot(text: str, *links: str, takes: int = 1, frame: str = "last") -> Wanted:
    """A shot that takes a frame of each of some others."""
    roles = ["input_reference", "last_frame", "reference_images"]
    pictures = tuple(OrderedPicture(role, frame=frame) for role, _ in zip(roles, links, strict=False))
    return Wanted("", Order(FAST.name, text, 8, "720p", "16:9", None, None, pictures, 1), FAST, takes, links=links)


def made(number: int, order: Order, status: Status = Status.VERIFIED) -> Take:
    task = f"task_{number}" if status in CHARGED else None
    attempt = Attempt(1, "r1", status, REAL, Decimal("0.3"), SINCE, SINCE, task)
    file = None
    if status in {Status.VERIFIED, Status.MISMATCHED}:
        file = Delivered("renders", f"{order.prompt[0]}.{number:03d}.mp4", f"{number:012x}{'0' * 52}", 5)
    return Take(number, order.fingerprint(), order, (attempt,), file)


@dataclass
class Night:
    """A list, its ledger and its reviews, and runs of it."""

    shots: dict[str, Wanted]
    states: dict[str, ShotState] = field(default_factory=dict)
    said: dict[str, Review] = field(default_factory=dict)

    def plan(self, *selected: str, refresh: bool = False, only_picked: bool = False) -> Plan:
        wanted = {name: replace(one, shot=name) for name, one in self.shots.items()}
        chosen = {name: one for name, one in wanted.items() if not selected or name in selected}
        world = World(
            states=self.states,
            unreadable={},
            strays={},
            gateway=REAL,
            retry_all=False,
            retry_failed=0,
            manifest_ids=self.shots.keys(),
            reviews=Reviews(self.said, "renders"),
        )
        others = {name: one for name, one in wanted.items() if name not in chosen}
        return make_plan(chosen, world, chaining=Chaining(others, refresh, only_picked), departed_too=not selected)

    def run(self, *selected: str, ends: Mapping[str, Status] | None = None, **more: Any) -> list[str]:
        """Make what is planned in the order of the chain; a shot may end otherwise than verified."""
        plan, bought = self.plan(*selected, **more), []
        waiting, bad = list(plan.creates), set[tuple[str, int]]()
        while waiting:
            item = next(
                i
                for i in waiting
                if not any((w.shot, w.number) == (s.shot, s.take) for w in waiting for s in i.sources)
            )
            waiting.remove(item)
            if any((source.shot, source.take) in bad for source in item.sources):
                bad.add((item.shot, item.number))
                continue
            status = (ends or {}).get(item.shot, Status.VERIFIED)
            if status is not Status.VERIFIED:
                bad.add((item.shot, item.number))
            self.buy(item, status)
            bought.append(item.shot)
        return bought

    def buy(self, item: Item, status: Status = Status.VERIFIED) -> None:
        assert item.order is not None
        assert all(picture.frame is None or picture.of is not None for picture in item.order.pictures)
        assert item.order.fingerprint() == item.fingerprint
        state = self.states.get(item.shot, ShotState(item.shot))
        take = replace(made(item.number, item.order, status), file=None)
        if status in {Status.VERIFIED, Status.MISMATCHED}:
            digits = f"{len(self.said) + sum(len(s.takes) for s in self.states.values()) + 1:012x}"
            take = replace(take, file=Delivered("renders", f"{item.shot}.{item.number:03d}.mp4", digits + "0" * 52, 5))
        self.states[item.shot] = state.with_take(take)

    def say(self, name: str, number: int, verdict: Verdict | None, *, again: bool = False) -> None:
        file = self.states[name].take(number).file
        assert file is not None
        take = file.name.removesuffix(".mp4")
        self.said[take] = Review(take, file.sha256[:12], verdict, again)

    def action(self, name: str, *selected: str, **more: Any) -> tuple[Action, str]:
        (item,) = [item for item in self.plan(*selected, **more).items if item.shot == name]
        return item.action, item.reason


def chain() -> Night:
    return Night({"a": shot("a"), "b": shot("b", "a"), "c": shot("c", "b")})


# --- bought once -----------------------------------------------------------------------------------


@pytest.mark.shows("film 1", "film M1", "film M6")
def test_a_chain_is_priced_and_permitted_before_anything_of_it_exists() -> None:
    night = Night({"c": shot("c", "b"), "b": shot("b", "a"), "a": shot("a")})
    plan = night.plan()
    assert ([item.action for item in plan.items], plan.cost_usd) == ([Action.CREATE] * 3, Decimal("0.9"))
    planned = {item.shot: item.fingerprint for item in plan.items}

    assert night.run() == ["a", "b", "c"]
    assert {name: state.takes[0].fingerprint for name, state in night.states.items()} == planned
    assert night.run() == []


@pytest.mark.shows("film 2", "film M5")
@pytest.mark.parametrize(
    "status", [Status.FAILED, Status.REFUSED, Status.MISMATCHED, Status.IN_DOUBT, Status.ABANDONED]
)
def test_what_comes_after_a_take_that_cant_be_used_waits(status: Status) -> None:
    night = chain()
    assert night.run(ends={"a": status}) == ["a"]
    plan = night.plan()
    assert [item.action for item in plan.items][1:] == [Action.WAIT, Action.WAIT]
    assert plan.items[1].reason == f"a is {status.replace('_', ' ')}"
    assert plan.cost_usd == 0


@pytest.mark.shows("film 3")
def test_after_a_retry_the_chain_goes_on_by_itself() -> None:
    night = chain()
    night.run(ends={"a": Status.FAILED})
    order = night.states["a"].takes[0].order
    night.states["a"] = ShotState("a", (made(1, order),))
    assert night.run() == ["b", "c"]


@pytest.mark.shows("film 9", "film 10", "film 13")
def test_an_edit_of_its_own_orders_it_and_its_place_in_the_list_means_nothing() -> None:
    night = chain()
    night.run()
    night.shots = {"c": shot("c", "b"), "x": shot("x"), "b": shot("b", "a"), "a": shot("a")}
    assert night.run() == ["x"]
    night.shots["c"] = shot("c at dawn", "b")
    assert night.run() == ["c"]
    night.shots["b"] = shot("b", "x")  # continues from another shot now: another picture
    assert night.action("b") == (Action.CREATE, "pictures changed")
    assert night.action("c")[0] is Action.STALE


# --- stale -----------------------------------------------------------------------------------------


@pytest.mark.shows("film 5", "film 7", "film M2")
def test_what_changes_upstream_makes_stale_and_buys_nothing() -> None:
    night = chain()
    night.run()
    night.shots["a"] = shot("a at dawn")
    assert night.run() == ["a"]
    assert night.action("b") == (
        Action.STALE,
        "made from take 1 of a, which is take 2 now; again $0.30, with 1 after it $0.60 (--refresh)",
    )
    assert night.action("c") == (Action.KEEP, "verified")
    assert night.run() == []

    assert night.run(refresh=True) == ["b", "c"]
    assert night.run() == []
    night.shots["a"] = shot("a")
    assert [night.action(name)[0] for name in "abc"] == [Action.KEEP] * 3  # going back finds the old takes
    assert night.run() == []


@pytest.mark.shows("film 8")
def test_a_refresh_of_one_shot_leaves_what_comes_after_it_stale() -> None:
    night = chain()
    night.run()
    night.shots["a"] = shot("a at dawn")
    night.run()
    assert night.run("b", refresh=True) == ["b"]
    assert night.action("c")[0] is Action.STALE
    assert night.run("c", refresh=True) == ["c"]


@pytest.mark.shows("film 17")
def test_a_picked_take_that_is_stale_is_shown_and_never_refreshed() -> None:
    night = chain()
    night.run()
    night.say("b", 1, Verdict.PICK)
    night.shots["a"] = shot("a at dawn")
    night.run()
    item = next(item for item in night.plan(refresh=True).items if item.shot == "b")
    assert (item.action, item.picked) == (Action.STALE, True)
    assert item.reason == (
        "picked; made from take 1 of a, which is take 2 now, which orders nothing: clear the pick to refresh it"
    )
    assert night.run(refresh=True) == []


@pytest.mark.shows("film 17")
def test_a_pick_of_the_older_take_beside_a_refreshed_one_is_stale() -> None:
    night = chain()
    night.run()
    night.shots["a"] = shot("a at dawn")
    night.run()
    night.run(refresh=True)
    night.say("b", 1, Verdict.PICK)
    item = next(item for item in night.plan().items if item.shot == "b" and item.number == 1)
    assert (item.action, item.picked) == (Action.STALE, True)
    assert item.reason == "picked; made from take 1 of a, which is take 2 now"
    night.say("b", 1, None)
    night.say("b", 2, Verdict.PICK)
    assert night.action("b")[0] is Action.KEEP
    assert night.run(refresh=True) == []


@pytest.mark.shows("film 15", "film 16")
def test_where_nobody_has_chosen_what_comes_after_waits_or_is_kept() -> None:
    night = Night({"a": shot("a", takes=3), "b": shot("b", "a")})
    assert night.run() == ["a", "a", "a"]
    assert night.action("b") == (Action.WAIT, "none of the 3 takes of a is picked")
    night.say("a", 2, Verdict.PICK)
    assert night.run() == ["b"]
    night.said.clear()
    assert night.action("b") == (
        Action.STALE,
        "kept, made from take 2 of a: none of the 3 takes of a is picked",
    )
    for number in (1, 2, 3):
        night.say("a", number, Verdict.REJECT)
    assert night.action("b")[0] is Action.STALE
    assert "every take of a is rejected" in night.action("b")[1]
    assert night.run(refresh=True) == []


@pytest.mark.shows("film 46")
def test_a_producer_that_isnt_selected_gives_what_it_has_and_nothing_of_it_is_bought() -> None:
    night = chain()
    item = next(iter(night.plan("b").items))
    assert (item.action, item.reason, item.outside) == (Action.WAIT, "a has no take yet", True)
    night.run("a")
    assert night.run("b") == ["b"]
    assert night.run("c") == ["c"]
    night.shots["a"] = shot("a at dawn")
    assert night.run("c") == []


def test_only_picked_takes_are_continued_from_where_the_pipeline_says_so() -> None:
    night = chain()
    assert night.run(only_picked=True) == ["a"]
    assert night.action("b", only_picked=True) == (Action.WAIT, "no take of a is picked")
    night.say("a", 1, Verdict.PICK)
    assert night.run(only_picked=True) == ["b"]


@pytest.mark.shows("film 11", "film 12")
def test_renames_buy_nothing_on_either_side_of_a_link() -> None:
    night = chain()
    night.run()
    night.shots = {"first": shot("a"), "b": shot("b", "first"), "c": shot("c", "b")}
    assert night.plan().cost_usd == 0
    assert {item.shot: item.action for item in night.plan().items}["b"] is Action.KEEP

    night = chain()
    night.run()
    night.shots = {"a": shot("a at dawn"), "second": shot("b", "a"), "c": shot("c", "second")}
    plan = night.plan()
    assert [item.shot for item in plan.creates] == ["a"]
    assert plan.moves == {"second": "b"}
    assert {item.shot: item.action for item in plan.items}["second"] is Action.STALE


@pytest.mark.shows("film 45")
def test_two_consumers_of_one_shot_and_one_of_two() -> None:
    night = Night({"a": shot("a"), "b": shot("b", "a"), "c": shot("c", "a"), "d": shot("d", "b", "c")})
    assert night.run() == ["a", "b", "c", "d"]
    night.shots["c"] = shot("c at dawn", "a")
    assert night.run() == ["c"]
    assert night.action("d")[0] is Action.STALE


@pytest.mark.shows("film 43")
def test_a_chain_of_ten_thousand_is_planned_without_recursion() -> None:
    shots = {f"s{n}": shot(f"s{n}", *([f"s{n - 1}"] if n else [])) for n in reversed(range(10_000))}
    night = Night(shots)
    assert len(night.plan().creates) == 10_000
    assert in_order({name: one.producers for name, one in shots.items()})[:2] == ["s0", "s1"]


# --- what a hostile reader found -------------------------------------------------------------------


def test_a_stale_take_that_is_carried_on_is_never_tried_again_with_another_frame() -> None:
    night = chain()
    night.run("a")
    item = next(item for item in night.plan().items if item.shot == "b")
    night.buy(item, Status.RENDERING)
    night.say("a", 1, Verdict.REJECT, again=True)
    night.run("a")
    carried = next(item for item in night.plan().items if item.shot == "b")
    assert (carried.action, carried.is_whole) == (Action.CONTINUE, False)


def test_whole_chains_of_one_text_may_get_other_ids() -> None:
    night = Night({"s1": shot("start"), **{f"s{n}": shot("goes on", f"s{n - 1}") for n in range(2, 13)}})
    night.run()
    night.shots = {"t1": shot("start"), **{f"t{n}": shot("goes on", f"t{n - 1}") for n in range(2, 13)}}
    plan = night.plan()
    assert plan.moves == {f"t{n}": f"s{n}" for n in range(1, 13)}
    assert {item.action for item in plan.items} == {Action.RENAME}


def test_two_consumers_of_one_text_may_swap_their_ids() -> None:
    night = Night({"a": shot("a"), "c": shot("c"), "b": shot("on", "a"), "d": shot("on", "c")})
    night.run()
    night.shots = {"a": shot("a"), "c": shot("c"), "d": shot("on", "a"), "b": shot("on", "c")}
    assert night.plan().creates == []
    night.shots = {"c": shot("c"), "y": shot("on", "c"), "a": shot("a"), "z": shot("on", "a")}
    plan = night.plan()
    assert (plan.creates, plan.moves) == ([], {"y": "d", "z": "b"})


def test_producers_may_swap_their_ids_under_consumers_of_one_text() -> None:
    night = Night({"a": shot("a"), "c": shot("c"), "b": shot("on", "a"), "d": shot("on", "c")})
    night.run()
    night.shots = {"a": shot("c"), "c": shot("a"), "b": shot("on", "a"), "d": shot("on", "c")}
    plan = night.plan()
    assert (plan.creates, plan.moves) == ([], {"a": "c", "c": "a", "b": "d", "d": "b"})


def test_a_consumer_whose_producers_record_is_gone_is_known_by_its_text() -> None:
    night = chain()
    night.run()
    del night.states["a"]
    night.shots = {"a": shot("a"), "second": shot("b", "a"), "c": shot("c", "second")}
    assert night.plan().moves["second"] == "b"


def test_a_refresh_buys_nothing_while_a_take_of_the_shot_is_in_doubt() -> None:
    night = Night({"a": shot("a"), "b": shot("b", "a", takes=2)})
    night.run()
    night.states["b"] = night.states["b"].with_take(replace(made(2, night.states["b"].take(2).order, Status.IN_DOUBT)))
    night.say("a", 1, Verdict.REJECT, again=True)
    night.run("a")
    assert [item.shot for item in night.plan(refresh=True).creates] == []


def test_a_pick_locks_the_shot_that_it_continues_from() -> None:
    night = Night({"a": shot("a"), "x": shot("x"), "b": shot("b", "a")})
    night.run()
    night.say("b", 1, Verdict.PICK)
    night.shots["b"] = shot("b", "x")
    assert night.plan().creates == []
    assert "clear the pick" in night.action("b")[1]


def test_a_refresh_of_what_comes_after_a_stale_shot_that_isnt_selected() -> None:
    night = chain()
    night.run()
    night.shots["a"] = shot("a at dawn")
    night.run()
    night.shots["d"] = shot("d", "b")
    assert night.run("d", refresh=True) == ["d"]
    assert night.action("c", "c", refresh=True)[0] is Action.KEEP


def test_what_was_bought_is_kept_where_nothing_is_known_of_its_producer() -> None:
    night = chain()
    night.run()
    del night.states["a"]
    (item,) = [item for item in night.plan("b").items if item.shot == "b"]
    assert item.action is Action.STALE


def test_the_price_of_a_refresh_ends_at_a_pick() -> None:
    night = Night({"a": shot("a"), "b": shot("b", "a"), "c": shot("c", "b"), "d": shot("d", "c")})
    night.run()
    night.say("c", 1, Verdict.PICK)
    night.shots["a"] = shot("a at dawn")
    night.run()
    assert night.action("b")[1].endswith("again $0.30 (--refresh)")


def test_the_price_of_a_refresh_leaves_out_what_it_wouldnt_buy() -> None:
    """Rejected takes are never refreshed, nor what is beside a doubt; and nothing is continued from them."""
    night = Night({"a": shot("a"), "b": shot("b", "a", takes=2), "c": shot("c", "b"), "d": shot("d", "a")})
    night.run()
    night.say("b", 2, Verdict.REJECT)
    night.run()
    night.say("c", 1, Verdict.REJECT)
    night.shots["a"] = shot("a at dawn")
    night.run()
    kept, rejected = (item.reason for item in night.plan().items if item.shot == "b")
    assert kept.endswith("; again $0.30 (--refresh)")
    assert "--refresh" not in rejected
    assert sorted(item.shot for item in night.plan("b", "c", refresh=True).creates) == ["b"]

    night.buy(replace(next(item for item in night.plan().items if item.shot == "d"), number=2), Status.IN_DOUBT)
    assert "--refresh" not in night.action("d")[1]
    assert night.plan("d", refresh=True).creates == []


def test_a_failed_take_that_is_stale_is_said_to_have_failed_and_what_orders_it() -> None:
    night = chain()
    night.run(ends={"b": Status.FAILED})
    night.shots["a"] = shot("a at dawn")
    night.run()
    why = "failed; made from take 1 of a, which is take 2 now; again $0.30, with 1 after it $0.60 (--refresh)"
    assert night.action("b") == (Action.STALE, why)
    assert night.run() == []
    assert night.run("b", refresh=True) == ["b"]


def test_a_producer_in_doubt_is_said_to_be_so() -> None:
    night = chain()
    night.run("a", ends={"a": Status.IN_DOUBT})
    night.shots["a"] = shot("a at dawn")
    assert night.action("b")[1] == "a is in doubt"


# --- a model of the rules --------------------------------------------------------------------------

LINKS: Mapping[str, Sequence[str]] = {"a": (), "b": ("a",), "c": ("b",), "d": ("b", "a"), "e": ("d",)}


@dataclass
class Made:
    """A take as the model knows it: `of` are the takes that its frames are of."""

    number: int
    text: str
    result: int
    of: tuple[Made, ...]
    verdict: Verdict | None = None
    again: bool = False


@dataclass
class Model:
    """What a person would work out with pencil and paper; takes are compared by identity, not by hashes."""

    texts: dict[str, str]
    counts: dict[str, int]
    takes: dict[str, list[Made]]

    def night(self, *, refresh: bool) -> list[tuple[str, Made]]:
        """What a run buys, in the chain's order."""
        bought, chosen = [], dict[str, Made | None]()
        for name in LINKS:
            new = self.wanted(name, chosen, refresh=refresh)
            bought += [(name, take) for take in new]
            chosen[name] = self.chosen(name, new, chosen)
        return bought

    def results(self, name: str) -> list[int]:
        wishes = sum(take.again for take in self.takes[name] if take.text == self.texts[name])
        return list(range(1, self.counts[name] + wishes + 1))

    def picks(self, name: str) -> list[Made]:
        return [take for take in self.takes[name] if take.verdict is Verdict.PICK]

    def exact(self, name: str, result: int, of: tuple[Made | None, ...]) -> Made | None:
        """The take of a result, or the newest one of the same text that was made from others: which stays."""
        same = [t for t in self.takes[name] if (t.text, t.result) == (self.texts[name], result)]
        if None not in of:
            match = [t for t in same if all(one is other for one, other in zip(t.of, of, strict=True))]
            if match:
                return match[-1]
        return same[-1] if same else None

    def is_stale(self, take: Made, of: tuple[Made | None, ...]) -> bool:
        return any(one is not other for one, other in zip(take.of, of, strict=True))

    def wanted(self, name: str, chosen: Mapping[str, Made | None], *, refresh: bool) -> list[Made]:
        picks = self.picks(name)
        if len(picks) > 1 or (picks and picks[0].text != self.texts[name]):
            return []
        of, new = tuple(chosen[producer] for producer in LINKS[name]), list[Made]()
        for result in self.results(name):
            have = self.exact(name, result, of)
            if have is not None and (not self.is_stale(have, of) or not refresh or picks):
                continue
            if have is not None and have.verdict is Verdict.REJECT:
                continue
            if None not in of:
                number = max((take.number for take in self.takes[name]), default=0) + len(new) + 1
                new.append(Made(number, self.texts[name], result, of))  # type: ignore[arg-type]
        return new

    def chosen(self, name: str, new: Sequence[Made], chosen: Mapping[str, Made | None]) -> Made | None:
        picks = self.picks(name)
        if picks:
            return picks[0] if len(picks) == 1 else None
        of = tuple(chosen[producer] for producer in LINKS[name])
        every = [next((t for t in new if t.result == r), None) or self.exact(name, r, of) for r in self.results(name)]
        if len(every) > 1 and any(take is None for take in every):
            return (
                None
                if sum(take is None or take.verdict is not Verdict.REJECT for take in every) != 1
                else next((take for take in every if take is not None and take.verdict is not Verdict.REJECT), None)
            )
        left = [take for take in every if take is None or take.verdict is not Verdict.REJECT]
        return left[0] if len(left) == 1 else None


class Pair:
    """The same acts, done to the model and to the real plan."""

    def __init__(self) -> None:
        self.model = Model(dict.fromkeys(LINKS, ""), dict.fromkeys(LINKS, 1), {name: [] for name in LINKS})
        self.night = Night({})
        for name in LINKS:
            self.edit(name, "0")

    def edit(self, name: str, text: str) -> None:
        self.model.texts[name] = text
        self._write(name)

    def count(self, name: str, number: int) -> None:
        self.model.counts[name] = number
        self._write(name)

    def _write(self, name: str) -> None:
        text = f"{name} {self.model.texts[name]}"
        self.night.shots[name] = shot(text, *LINKS[name], takes=self.model.counts[name])

    def say(self, name: str, take: Made, verdict: Verdict | None, *, again: bool) -> None:
        if verdict is Verdict.PICK and again is False:
            for other in self.model.picks(name):
                self.say(name, other, Verdict.ALT, again=other.again)
        take.verdict, take.again = verdict, again
        self.night.say(name, take.number, verdict, again=again)

    def run(self, *, refresh: bool, kill_after: int | None) -> None:
        expected = self.model.night(refresh=refresh)
        plan = self.night.plan(refresh=refresh)
        found = sorted((item.shot, item.number) for item in plan.creates)
        assert found == sorted((name, take.number) for name, take in expected), (found, expected)
        by_key = {(item.shot, item.number): item for item in plan.creates}
        for name, take in expected[:kill_after]:
            self.model.takes[name].append(take)
            self.night.buy(by_key[name, take.number])

    def prices_are_true(self) -> None:
        """Where nothing is left to buy, a refresh costs what is said, alone and with what comes after it."""
        for item in self.night.plan().items:
            if item.is_stale:
                behind = [item.shot]
                for name, of in LINKS.items():  # a shot stands behind its producers there
                    then = {*behind, name} if not set(of).isdisjoint(behind) else ()
                    behind += [name] * any(new.shot == name for new in self.refreshed(*then).creates)
                said = item.reason.partition("; again $")[2]
                told = re.fullmatch(r"([0-9.]+)(?:, with \d+ after it \$([0-9.]+))? \(--refresh\)", said)
                alone, whole = (Decimal(told[1]), Decimal(told[2] or told[1])) if told else (Decimal(0), None)
                assert alone == self.refreshed(item.shot).cost_usd, item
                assert whole in {None, self.refreshed(*behind).cost_usd}, item

    def refreshed(self, *selected: str) -> Plan:
        return self.night.plan(*selected, refresh=True) if selected else Plan(())

    def second_run_buys_nothing(self) -> None:
        assert self.night.plan().creates == []


def act(pair: Pair, chance: random.Random) -> None:
    """One thing that a writer, a director, or the night does."""
    name = chance.choice(list(LINKS))
    kind = chance.choice(["edit", "edit", "count", "say", "say", "say", "run", "run", "run", "killed", "refresh"])
    if kind == "edit":
        pair.edit(name, chance.choice("0012"))
    elif kind == "count":
        pair.count(name, chance.choice([1, 1, 2, 3]))
    elif kind == "say" and pair.model.takes[name]:
        verdict = chance.choice([None, None, Verdict.PICK, Verdict.ALT, Verdict.REJECT])
        pair.say(name, chance.choice(pair.model.takes[name]), verdict, again=chance.random() < 0.15)
    elif kind == "killed":
        pair.run(refresh=chance.random() < 0.3, kill_after=chance.randrange(4))
    elif kind in {"run", "refresh"}:
        pair.run(refresh=kind == "refresh", kill_after=None)
        pair.second_run_buys_nothing()
        pair.prices_are_true()


@cases("seed", range(44 if LONG else 4), quick=1)
@pytest.mark.shows("film model")
def test_whatever_people_do_a_plan_is_what_the_rules_say(seed: int) -> None:
    """500 acts for each seed: 500 in the fast suite, 2,000 per push, 22,000 in the nightly form."""
    chance, pair = random.Random(seed), Pair()
    for _ in range(10):
        pair = Pair()
        for _ in range(50):
            act(pair, chance)
