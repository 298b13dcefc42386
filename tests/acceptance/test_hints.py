"""What commands say to people: facts that agree, sums that can be read, and hints that can be typed as they stand."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.harness.canary import KEY
from tests.harness.fork import refused
from tests.harness.stubborn import IMPOSSIBLE
from veopipe.ledger import owner
from veopipe.ledger.paths import Places

if TYPE_CHECKING:
    from tests.harness.film import Film, Result
    from veopipe.simulator.server import Simulator


def test_plan_and_resolve_say_the_same_time_of_a_parked_take(film: Film, gateway: Simulator) -> None:
    gateway.order_fault("stuck_in_progress", times=None)
    film.pipeline(poll__timeout="300ms")
    film.list({"a": "one"})
    assert film.run().statuses == {"a": "parked"}
    path = film.folder / ".veopipe/shots/state/a.json"
    state = json.loads(path.read_text())
    last = state["takes"][0]["attempts"][-1]
    last["settled_at"] = "2031-01-01T00:00:00Z"
    path.write_text(json.dumps(state))

    listed = film.command("resolve", "shots.yaml", "-p", "quick.yaml")
    assert "a take 1: parked since 2031-01-01T00:00:00Z" in listed.out
    assert f"ordered    {last['submitted_at']}" in listed.out
    planned = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url)
    assert "parked since 2031-01-01T00:00:00Z" in planned.out
    document = film.command("resolve", "shots.yaml", "-p", "quick.yaml", "--format", "json").document
    assert document["takes"][0]["since"] == last["submitted_at"]  # as its schema says


def test_large_sums_have_separators_for_people_and_none_in_documents(film: Film) -> None:
    film.pipeline(provider__models={"dear": {"price_usd": 1234.5, "like": "veo-3.1-fast-generate-preview"}})
    film.list({"a": {"prompt": "one", "model": "dear"}}, budget_usd=1000000)

    text = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url).out
    assert re.findall(r"\$[0-9,.]*[0-9]", text) == ["$1,234.50", "$1,234.50", "$1,000,000.00"]
    document = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--format", "json").document
    assert (document["cost_usd"]["planned"], document["cost_usd"]["cap"]) == ("1234.50", "1000000.00")


def hinted(said: str, verb: str) -> str:
    """The first whole command of that verb in what was said."""
    found = re.search(rf"veopipe {verb} [^\n]*", said)
    assert found is not None, said
    return found[0]


def typed(film: Film, line: str) -> Result:
    """Type a line into a shell: commands of veopipe, each if those before it went well."""
    for command in line.split(" && "):
        name, *words = shlex.split(command)
        assert name == "veopipe"
        done = film.command(*words)
        assert done.code == 0, done
    return done


@pytest.mark.parametrize("name", ["my film.yaml", "-dash.yaml", "it's $HOME.yaml"])
def test_who_has_a_take_in_doubt_can_type_each_command_as_it_is_told(film: Film, gateway: Simulator, name: str) -> None:
    gateway.order_fault("lost_response", times=1)
    film.list({"a": "one"}, name)
    run = ("run", "-p", "quick.yaml", "--base-url", film.base_url, "--yes", "--", name)
    ended = film.command(*run)
    listed = typed(film, hinted(ended.out, "resolve"))
    assert "a take 1: in doubt since" in listed.out
    for verb in ("plan", "status"):
        said = film.command(verb, "-p", "quick.yaml", "--", name)
        assert typed(film, hinted(said.out, "resolve")).out == listed.out

    done = typed(film, re.search(r"veopipe .* --not-charged", listed.err)[0])

    again = typed(film, f"{hinted(done.err, 'run')} --base-url {film.base_url} --yes")
    assert "1 verified" in again.out
    assert len(gateway.charged) == 2  # the person erred


def test_a_list_that_was_taken_for_an_option_is_named_as_a_file(film: Film) -> None:
    film.list({"a": "one"}, "-dash.yaml")
    ended = film.command("plan", "-dash.yaml")
    assert (ended.code, ended.err.splitlines()[-1].split()[-1]) == (2, "./-dash.yaml")
    assert film.command("plan", "./-dash.yaml").code == 0
    assert "./-dash.yaml" in film.command("plan", "-dash.yaml", "--format", "json").document["hint"]
    assert "dash" not in film.command("plan", "-gone.yaml").err


def test_a_command_of_a_hint_leads_to_the_list_from_where_it_is_typed(film: Film, gateway: Simulator) -> None:
    gateway.order_fault("stuck_in_progress", times=None)
    film.pipeline(poll__timeout="300ms")
    film.list({"a": "one"})
    (film.folder / "elsewhere").mkdir()
    manifest, pipeline = str(film.folder / "shots.yaml"), str(film.folder / "quick.yaml")
    film.run()
    film.folder /= "elsewhere"
    for path in (manifest, "../shots.yaml"):
        listed = film.command("resolve", path, "-p", pipeline)
        given_up = re.search(r"give it up +(veopipe .*)", listed.err)[1]
        assert given_up == f"veopipe resolve {path} -p {pipeline} a --write-off"
    assert "a take 1: abandoned" in typed(film, given_up).err


def test_a_plan_that_is_none_or_too_old_is_made_anew_by_the_command_that_is_told(
    film: Film, gateway: Simulator
) -> None:
    film.list({"a": "one", "b": "two"})
    plan = film.folder / "my plan.json"
    run = ("--plan", plan.name, "--only", "a")
    for content in (None, "notes of mine", "{}"):
        if content is not None:
            plan.write_text(content)
        ended = film.run(*run, yes=False)
        assert ended.code == 2
        made = typed(film, hinted(ended.document["hint"], "plan"))
        assert "carry it out with: veopipe run shots.yaml" in made.err
        if content is not None:
            assert plan.read_text() == content  # no plan of ours: left alone
            plan.unlink()
    (film.folder / "my plan-2.json").rename(plan)
    film.list({"a": "another", "b": "two"})
    ended = film.run(*run, yes=False)
    assert (ended.code, "doesn't allow 1 create" in ended.document["error"]) == (2, True)
    made = typed(film, hinted(ended.document["hint"], "plan"))
    done = typed(film, hinted(made.err, "run"))
    assert "1 verified" in done.out
    assert [entry["shot"] for entry in film.log() if entry["event"] == "verified"] == ["a"]


def test_a_frame_of_nothing_a_list_that_is_gone_and_a_run_that_is_on_name_what_helps(
    film: Film, gateway: Simulator
) -> None:
    film.list({"a": "one", "b": "two"})
    ended = film.command("frame", "shots.yaml", "a", "-p", "quick.yaml", "-o", "a.png")
    assert "make one: veopipe run shots.yaml -p quick.yaml --only a\n" in ended.err
    gone = film.command("plan", "my new film/shots.yaml")
    made = typed(film, hinted(gone.err, "init"))
    assert "my new film/shots.yaml is made" in made.out
    with owner.locked(Places(film.folder / "shots.yaml", ".veopipe", "renders")):
        busy = film.run()
    assert busy.code == 7
    assert typed(film, hinted(busy.document["hint"], "status")).code == 0
    assert gateway.ledger == []


def test_an_order_whose_record_is_gone_is_given_up_by_the_command_that_is_told(film: Film, gateway: Simulator) -> None:
    film.list({"a": "one", "b": "two"})
    film.run()
    (film.folder / ".veopipe/shots/state/a.json").unlink()
    for path in (film.folder / "renders/shots").rglob("a*.mp4"):
        path.unlink()
    planned = film.command("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url)
    assert "1 to keep, 1 to hold" in planned.out
    listed = typed(film, hinted(planned.out, "resolve"))
    status = film.command("status", "shots.yaml", "-p", "quick.yaml")
    assert "1 held: veopipe resolve shots.yaml -p quick.yaml\n" in status.out
    assert hinted(listed.err, "resolve") == "veopipe resolve shots.yaml -p quick.yaml a --write-off"
    typed(film, hinted(listed.err, "resolve"))
    assert film.run().statuses == {"a": "verified", "b": "verified"}
    assert len(gateway.charged) == 3


def test_giving_up_what_is_in_doubt_gives_no_paid_take_of_its_shot_up(film: Film, gateway: Simulator) -> None:
    film.pipeline(poll__timeout="300ms")
    film.list({"a": {"prompt": "a cat", "takes": 2}})
    gateway.order_fault("lost_response")
    gateway.order_fault("stuck_in_progress", times=None)
    assert film.run().code == 3
    listed = film.command("resolve", "shots.yaml", "-p", "quick.yaml").err
    assert ("then give it up" in listed, "  give it up" in listed) == (True, False)
    assert "a take 1: abandoned" in typed(film, hinted(listed[listed.index("a charge, no task") :], "resolve")).err
    assert [take["status"] for take in film.state("a")["takes"]] == ["abandoned", "parked"]


def test_a_plan_numbers_the_takes_of_a_shot_that_has_several(film: Film, gateway: Simulator) -> None:
    film.list({"a": {"prompt": "one", "takes": 3}, "b": "two"})
    film.run()
    assert film.command("review", "shots.yaml", "a", "-p", "quick.yaml", "--pick", "2", "--reject", "3").code == 0
    plan = ("plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url)
    lines = [re.split(r"  +", line) for line in film.command(*plan).out.splitlines()]
    assert [(line[0], line[-1]) for line in lines if line[0] in {"a", "b"}] == [
        ("a", "take 1: verified"),
        ("a", "take 2: verified, picked"),
        ("a", "take 3: verified, rejected"),
        ("b", "verified"),
    ]
    reasons = [entry["reason"] for entry in film.command(*plan, "--format", "json").document["shots"]]
    assert reasons == ["verified", "verified, picked", "verified, rejected", "verified"]


def test_a_film_that_cannot_be_locked_is_told_what_to_type(film: Film, gateway: Simulator) -> None:
    chained = {"prompt": "three", "input_reference": {"shot": "a", "frame": "last"}}
    film.list({"a": {"prompt": "one", "takes": 2}, "b": chained})
    film.run()

    def review(*words: str) -> None:
        assert film.command("review", "shots.yaml", "-p", "quick.yaml", *words).code == 0

    review("a", "--pick", "1")
    film.run()
    cut = ("cut", "shots.yaml", "-p", "quick.yaml", "--lock")
    ended = film.command(*cut)
    assert (ended.code, "not locked: nothing was written" in ended.err) == (1, True)
    typed(film, re.search(r"b: choose it: (.*)", ended.err)[1])
    assert film.command(*cut).code == 0

    review("a", "--pick", "2")
    ended = film.command(*cut)
    steps = re.search(r"b: order it anew: (.*)", ended.err)[1]
    review_again, run = steps.split(" && ")
    assert run == "veopipe run shots.yaml -p quick.yaml --only b --refresh"
    typed(film, review_again)
    typed(film, f"{run} --base-url {film.base_url} --yes")
    ended = film.command(*cut)
    typed(film, re.search(r"b: choose it: (.*)", ended.err)[1])
    assert film.command(*cut).code == 0


def test_a_verdict_whose_name_cannot_follow_is_said_to_be_written(film: Film, gateway: Simulator) -> None:
    film.list({"a": {"prompt": "one", "takes": 2}})
    film.run()
    pick = ("review", "shots.yaml", "a", "-p", "quick.yaml", "--pick", "1", "--format", "json")
    ended = film.start(*pick, first=refused("flock=EROFS")).result()
    if ended.code == IMPOSSIBLE:
        pytest.skip(ended.err)
    assert ended.code == 6
    assert "what was said is written, and finished names can't follow: the ledger " in ended.document["error"]
    assert "verdict: pick" in (film.folder / "review/shots/a.001.yaml").read_text()
    film.run()
    assert film.finished("a").samefile(film.folder / "renders/shots/takes/a.001.mp4")


def test_who_may_only_read_is_told_what_can_be_done(film: Film, gateway: Simulator) -> None:
    film.list({"a": "one"})
    film.run()
    ended = film.start(*film.arguments(), first=refused("flock=EROFS")).result()
    if ended.code == IMPOSSIBLE:
        pytest.skip(ended.err)
    assert (ended.code, "plan, status, report" in ended.document["hint"]) == (6, True)
    for verb in ("plan", "status", "report", "cut"):
        assert film.start(verb, "shots.yaml", "-p", "quick.yaml", first=refused("flock=EROFS")).result().code == 0


def test_a_look_at_the_log_that_settles_nothing_names_the_command_for_who_knows_more(
    film: Film, gateway: Simulator
) -> None:
    gateway.order_fault("lost_response", times=1)
    film.list({"a": "one"})
    film.run()
    film.environment["VEOPIPE_ACCOUNT_TOKEN"] = KEY
    look = ("resolve", "shots.yaml", "-p", "quick.yaml", "--look-up", "--base-url", film.base_url)
    looked = film.command(*look)
    assert (looked.code, "a take 1: " in looked.out) == (3, True)
    assert "--write-off" in typed(film, hinted(looked.err, "resolve")).err


def test_what_waits_for_a_choice_and_what_is_held_have_headings_of_their_own(film: Film, gateway: Simulator) -> None:
    film.pipeline(chain="picked")
    chained = {"prompt": "three", "input_reference": {"shot": "a", "frame": "last"}}
    film.list({"a": {"prompt": "one", "takes": 2}, "b": chained, "c": "four"})
    film.run()
    (film.folder / ".veopipe/shots/state/c.json").unlink()
    status = film.command("status", "shots.yaml", "-p", "quick.yaml")
    assert "1 held\n  c  there is renders/shots/takes/c.001.mp4" in status.out
    assert "1 waiting: veopipe review shots.yaml -p quick.yaml\n  b  none of the 2 takes of a is picked" in status.out
    assert "a: 2 takes, none picked" in typed(film, hinted(status.out, "review")).out
    statuses = film.command("status", "shots.yaml", "-p", "quick.yaml", "--format", "json").statuses
    assert statuses == {"a": "verified", "b": "pending", "c": "pending"}
