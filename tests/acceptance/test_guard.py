"""A guard in a real store: of all copies of a ledger the newest alone may spend."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.harness.breadth import cases
from tests.harness.film import FAST, Film, Result
from tests.harness.fork import Mishap
from tests.harness.store import Proxy, Store, times
from veopipe.ledger import ledgerfile
from veopipe.simulator.server import Simulator

pytestmark = pytest.mark.engine


class Guarded:
    """A film with a guard, and copies of it."""

    def __init__(self, film: Film, store: Store, proxy: Proxy, prefix: str) -> None:
        self.film, self.proxy = film, proxy
        self._store, self._prefix = store, prefix
        film.environment.update(proxy.environment)
        film.pipeline(guard=self.url)
        self.wants(film, 1)

    @property
    def url(self) -> str:
        return f"{self._prefix}/film.guard"

    def wants(self, film: Film, shots: int) -> None:
        """Let its list have so many shots."""
        film.list({f"s{number}": f"shot {number}" for number in range(1, shots + 1)})

    def copy(self, name: str, film: Film | None = None) -> Film:
        """A copy of the film's folder, as a second checkout is."""
        source = film or self.film
        folder = source.folder.with_name(name)
        shutil.copytree(source.folder, folder, symlinks=True)
        return replace(source, folder=folder)

    def says(self) -> dict[str, Any]:
        """What lies in the store."""
        found: dict[str, Any] = json.loads(self._store.content(self._prefix, "film.guard"))
        return found

    def puts(self, said: dict[str, Any]) -> None:
        """Let that lie in the store."""
        self._store.put(self._prefix, "film.guard", json.dumps(said).encode())

    def vanishes(self) -> None:
        self._store.remove(self._prefix, "film.guard")


@pytest.fixture
def guarded(film: Film, store: Store, proxy: Proxy, prefix: str) -> Guarded:
    return Guarded(film, store, proxy, prefix)


def refused(done: Result, *words: str) -> None:
    """See that a run ended with 6, and said so."""
    assert done.code == 6, done
    assert all(word in said(done) for word in words), done


def said(done: Result) -> str:
    """What a command told people and programs."""
    return done.err + str(done.document.get("error", "")) + str(done.document.get("hint", ""))


def test_a_run_that_spends_takes_the_guard_and_one_that_doesnt_leaves_it(guarded: Guarded) -> None:
    assert guarded.film.run().code == 0
    first = guarded.says()
    asked = len(guarded.proxy.asked)
    assert guarded.film.run().code == 0
    assert guarded.film.command("status", "shots.yaml", "-p", "quick.yaml").code == 0
    assert len(guarded.proxy.asked) == asked
    assert guarded.says() == first

    guarded.wants(guarded.film, 2)
    assert guarded.film.run().code == 0
    again = guarded.says()
    head = json.loads((guarded.film.folder / ".veopipe/shots/ledger.json").read_text("utf-8"))

    assert (first["serial"], again["serial"], again["ledger"]) == (1, 2, head["id"])
    assert head["guard"] == {"serial": 2, "nonce": again["nonce"], "claimed": []}
    assert again["nonce"] != first["nonce"]


def test_a_checkout_from_before_the_last_run_is_refused_before_anything_is_sent(
    guarded: Guarded, gateway: Simulator
) -> None:
    """The job that died before its push: what comes next has an older ledger and would buy everything again."""
    assert guarded.film.run().code == 0
    old = guarded.copy("old")
    guarded.wants(guarded.film, 3)
    guarded.wants(old, 3)
    assert guarded.film.run().code == 0
    host = guarded.says()["host"]

    refused(old.run(), "isn't the newest", host, "git pull", "taken 2 times; the one here knows of 1)")
    refused(old.command("resolve", "shots.yaml", "-p", "quick.yaml", "s1", "--write-off", "--format", "json"), "newest")
    assert len(gateway.charged) == 3


def test_of_two_copies_the_first_to_spend_goes_on(guarded: Guarded, gateway: Simulator) -> None:
    assert guarded.film.run().code == 0
    other = guarded.copy("other")
    for film in (guarded.film, other):
        guarded.wants(film, 2)

    assert other.run().code == 0
    refused(guarded.film.run(), "isn't the newest")
    assert other.run().code == 0
    assert len(gateway.charged) == 2


def test_a_checkout_without_a_ledger_is_refused(guarded: Guarded, gateway: Simulator) -> None:
    assert guarded.film.run().code == 0
    shutil.rmtree(guarded.film.folder / ".veopipe")
    shutil.rmtree(guarded.film.folder / "renders")

    refused(guarded.film.run(), "there is no ledger here", "git pull", "a guard of its own")
    assert len(gateway.charged) == 1


def test_the_guard_of_another_list_is_refused(guarded: Guarded, gateway: Simulator) -> None:
    assert guarded.film.run().code == 0
    guarded.film.list({"x": "another film"}, name="other.yaml")
    assert guarded.film.run("--take-over", manifest="other.yaml").code == 2  # before it has a ledger, too
    guarded.film.pipeline(guard=f"{guarded.url}.other")
    assert guarded.film.run(manifest="other.yaml").code == 0
    guarded.film.list({"x": "another film", "y": "more"}, name="other.yaml")
    guarded.film.pipeline(guard=guarded.url)

    done = guarded.film.run(manifest="other.yaml")

    assert (done.code, len(gateway.charged)) == (2, 2)
    assert "guards another ledger, that of shots.yaml" in said(done)
    assert guarded.film.run("--take-over", manifest="other.yaml").code == 2


def test_a_renamed_list_is_told_to_move_its_ledger_and_keeps_its_guard(guarded: Guarded, gateway: Simulator) -> None:
    assert guarded.film.run().code == 0
    (guarded.film.folder / "shots.yaml").rename(guarded.film.folder / "film.yaml")

    done = guarded.film.run(manifest="film.yaml")

    assert (done.code, "Was it renamed?" in said(done)) == (2, True)
    move = str(done.document["hint"]).splitlines()[0].removeprefix("move its ledger: ")
    subprocess.run(["sh", "-c", move], cwd=guarded.film.folder, check=True)
    guarded.film.list({"s1": "shot 1", "s2": "shot 2"}, name="film.yaml")
    assert guarded.film.run(manifest="film.yaml").code == 0
    assert len(gateway.charged) == 2


def test_a_guard_that_is_gone_is_missed_until_somebody_takes_over(guarded: Guarded, gateway: Simulator) -> None:
    assert guarded.film.run().code == 0
    guarded.vanishes()
    guarded.wants(guarded.film, 2)

    command = f"veopipe run shots.yaml -p quick.yaml --base-url {guarded.film.base_url} --take-over"
    refused(guarded.film.run(), "isn't there any more", command)
    assert len(gateway.charged) == 1
    assert guarded.film.run("--take-over").code == 0
    assert (guarded.says()["serial"], len(gateway.charged)) == (2, 2)


def test_who_takes_over_and_fails_has_to_say_so_again(guarded: Guarded, gateway: Simulator, proxy: Proxy) -> None:
    assert guarded.film.run().code == 0
    stale = guarded.copy("stale")
    guarded.wants(guarded.film, 2)
    guarded.wants(stale, 2)
    assert guarded.film.run().code == 0
    proxy.trouble = times(99, "403", "PUT", "film.guard")
    refused(stale.run("--take-over"), "the guard")
    proxy.trouble = times(0, "403", "PUT", "film.guard")

    refused(stale.run(), "isn't the newest")
    assert len(gateway.charged) == 2


def test_a_request_that_arrives_late_is_known_for_ours(guarded: Guarded, gateway: Simulator) -> None:
    """Killed while the swap was on its way; it arrives after the next run has looked, and before that one's own."""
    assert guarded.film.run().code == 0
    guarded.wants(guarded.film, 2)
    assert guarded.film.start(*guarded.film.arguments(), first=Mishap("kill", "guard")).result().code == -9
    late = guarded.copy("late")
    claimed = json.loads((late.folder / ".veopipe/shots/ledger.json").read_text("utf-8"))["guard"]["claimed"]
    asked = len(guarded.proxy.asked)

    def arrives(method: str, path: str) -> None:
        """Before the third put: two were forbidden ones."""
        puts = [method for method, path in guarded.proxy.asked[asked:] if method == "PUT" and "film.guard" in path]
        if method == "PUT" and len(puts) == 3:
            guarded.puts({**guarded.says(), "serial": 2, "nonce": claimed[-1]})

    guarded.proxy.trouble = arrives

    assert guarded.film.run().code == 0
    assert (guarded.says()["serial"], len(gateway.charged)) == (2, 2)
    assert guarded.says()["nonce"] not in claimed


def test_a_copy_that_lost_a_race_is_the_newest_with_the_winners_records(guarded: Guarded, gateway: Simulator) -> None:
    """It claimed a nonce that never came to the guard; merged with the winner's ledger it goes on, and so does he."""
    assert guarded.film.run().code == 0
    loser = guarded.copy("loser")
    for film in (loser, guarded.film):
        guarded.wants(film, 2)
    for _ in range(2):
        assert loser.start(*loser.arguments(), first=Mishap("kill", "guard")).result().code == -9
    base = guarded.copy("base")
    assert guarded.film.run().code == 0
    refused(loser.run(), "isn't the newest")

    for film, other in ((loser, guarded.film), (guarded.film, loser)):
        ours, theirs, first = (each.folder / ".veopipe/shots/ledger.json" for each in (film, other, base))
        mixed = ledgerfile.merged(*(ledgerfile.parse(path.read_bytes()) for path in (first, ours, theirs)))
        assert mixed.guard is not None
        assert guarded.says()["nonce"] in mixed.guard.known
    shutil.copytree(
        guarded.film.folder / ".veopipe/shots/state", loser.folder / ".veopipe/shots/state", dirs_exist_ok=True
    )
    (loser.folder / ".veopipe/shots/ledger.json").write_bytes(ledgerfile.dump(mixed))
    guarded.wants(loser, 3)
    assert loser.run().code == 0
    assert len(gateway.charged) == 3


def test_what_costs_nothing_asks_the_guard_too(guarded: Guarded, gateway: Simulator) -> None:
    price = {"price_usd": 0, "like": FAST}
    guarded.film.pipeline(guard=guarded.url, provider__models={FAST: price})
    assert guarded.film.run().code == 0
    stale = guarded.copy("stale")
    guarded.wants(guarded.film, 2)
    guarded.wants(stale, 2)
    assert guarded.film.run().code == 0

    refused(stale.run(), "isn't the newest")
    assert len(gateway.ledger) == 2


def test_taking_over_says_what_may_be_paid_twice_and_needs_consent(guarded: Guarded, gateway: Simulator) -> None:
    assert guarded.film.run().code == 0
    old = guarded.copy("old")
    guarded.wants(guarded.film, 2)
    assert guarded.film.run().code == 0
    guarded.wants(old, 3)

    alone = old.run("--take-over", yes=False)
    assert (alone.code, len(gateway.charged)) == (2, 2)
    assert "nobody is here to agree" in said(alone)
    over = old.run("--take-over")

    assert over.code == 0
    assert "may have bought any of these 2 videos ($0.60): what it bought is paid twice" in said(over)
    assert (guarded.says()["serial"], len(gateway.charged)) == (3, 4)
    guarded.wants(guarded.film, 4)
    refused(guarded.film.run(), "isn't the newest")


@cases("step", ["guard", "gate", "answer", "record"], quick=2)
def test_killed_before_or_after_it_is_taken_the_same_copy_goes_on(
    step: str, guarded: Guarded, gateway: Simulator
) -> None:
    assert guarded.film.run().code == 0
    stale = guarded.copy("stale")
    guarded.wants(guarded.film, 2)
    guarded.wants(stale, 2)
    killed = guarded.film.start(*guarded.film.arguments(), first=Mishap("kill", step)).result()
    assert killed.code == -9
    was_taken = guarded.says()["serial"] == 2

    assert was_taken == (step != "guard")
    if was_taken:
        refused(stale.run(), "isn't the newest")
    done = guarded.film.run()
    assert done.code in ({0} if step in {"guard", "gate"} else {0, 3}), done  # what it had asked for may be in doubt
    assert len(gateway.charged) <= 2
    refused(stale.run(), "isn't the newest")


@pytest.mark.parametrize("what", ["lost", "503"])
def test_an_answer_that_is_lost_or_late_is_looked_up(
    what: str, guarded: Guarded, gateway: Simulator, proxy: Proxy
) -> None:
    proxy.trouble = times(1, what, "PUT", "film.guard")

    assert guarded.film.run().code == 0
    assert (guarded.says()["serial"], len(gateway.charged)) == (1, 1)
    guarded.wants(guarded.film, 2)
    proxy.trouble = times(3, what, "PUT", "film.guard")
    assert guarded.film.run().code == 0
    assert (guarded.says()["serial"], len(gateway.charged)) == (2, 2)


@pytest.mark.parametrize("code", ["403", "507"])
def test_a_store_that_refuses_sends_nobody_to_the_gateway(
    code: str, guarded: Guarded, gateway: Simulator, proxy: Proxy
) -> None:
    proxy.trouble = times(99, code, "PUT", "film.guard")

    refused(guarded.film.run(), "the guard", "film.guard")
    assert gateway.charged == []


@pytest.mark.parametrize("runs", [0, 1])
def test_a_store_that_ignores_conditions_is_no_guard(
    runs: int, guarded: Guarded, gateway: Simulator, proxy: Proxy
) -> None:
    for shots in range(1, runs + 1):
        guarded.wants(guarded.film, shots)
        assert guarded.film.run().code == 0
    proxy.trouble = lambda method, _path: "deaf" if method == "PUT" else None
    guarded.wants(guarded.film, runs + 1)

    done = guarded.film.run()

    assert (done.code, len(gateway.charged)) == (2, runs)
    assert "ignores conditions" in said(done)


def test_what_is_no_guard_is_left_alone(guarded: Guarded, gateway: Simulator, store: Store) -> None:
    folder, _, name = guarded.url.rpartition("/")
    store.put(folder, name, b"somebody's notes")

    refused(guarded.film.run(), "is no guard")
    assert (store.content(folder, name), gateway.charged) == (b"somebody's notes", [])


def test_doctor_says_where_the_guard_stands(guarded: Guarded, proxy: Proxy) -> None:
    def check() -> dict[str, Any]:
        words = ("doctor", "-p", "quick.yaml", "--base-url", guarded.film.base_url, "--format", "json")
        checks = guarded.film.command(*words).document["checks"]
        return next(check for check in checks if check["name"] == "guard")

    assert check()["state"] == "note"
    guarded.film.run()
    assert check()["state"] == "good"
    assert "was taken 1 time, last by" in check()["found"]
    proxy.trouble = times(99, "403", "GET", "film.guard")
    assert check()["state"] == "bad"


def test_a_rehearsal_has_none(guarded: Guarded) -> None:
    assert guarded.film.run("--simulate").code == 0
    assert guarded.proxy.asked == []


@cases("round_", range(15), quick=1)
def test_of_contenders_one_wins(
    round_: int, guarded: Guarded, gateway: Simulator, until: Callable[[Callable[[], object]], None]
) -> None:
    """Three newest copies and three stale ones at once: one of the newest spends, and nobody else."""
    assert guarded.film.run().code == 0
    stale = [guarded.copy(f"stale-{number}") for number in range(3)]
    guarded.wants(guarded.film, 2)
    assert guarded.film.run().code == 0
    newest = [guarded.film, *(guarded.copy(f"newest-{number}") for number in range(2))]
    for film in (*stale, *newest):
        guarded.wants(film, 3)

    contenders = [film.start(*film.arguments()) for film in (*stale, *newest)]
    ended = [contender.result() for contender in contenders]

    codes = [done.code for done in ended]
    assert codes[:3] == [6, 6, 6], ended
    assert sorted(codes[3:]) == [0, 6, 6], ended
    assert len(gateway.charged) == 3
    assert guarded.says()["serial"] == 3
