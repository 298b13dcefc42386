"""A list whose output is a bucket: real commands, a real store, and a network between them that makes trouble."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.canary import KEY, leaks_below, traces_of
from tests.harness.film import Film, Result
from tests.harness.fork import Mishap, hurried
from tests.harness.store import SECRET, Proxy, Store, times
from veopipe.simulator.server import Simulator

pytestmark = pytest.mark.engine


class Remote:
    """A film whose output is a bucket behind a proxy."""

    def __init__(self, film: Film, store: Store, proxy: Proxy, prefix: str) -> None:
        self.film, self.store, self.proxy, self.prefix = film, store, proxy, prefix
        film.environment.update(proxy.environment)
        self.outputs: list[str] = []
        film.pipeline(output=prefix)

    @property
    def url(self) -> str:
        return f"{self.prefix}/shots"

    def run(self, *words: str) -> Result:
        done = self.film.run(*words)
        self.outputs += [done.out, done.err]
        return done

    def objects(self) -> dict[str, Any]:
        """Name → what the metadata says, without `.ledger`."""
        found = self.store.objects(self.url)
        return {name: json.loads(mark or "null") for name, mark in found.items() if name != ".ledger"}

    def files(self) -> list[str]:
        """What lies in the scratch folder."""
        scratch = self.film.folder / ".veopipe/shots/scratch"
        return sorted(path.name for path in scratch.iterdir()) if scratch.exists() else []

    def take(self, shot: str = "a") -> dict[str, Any]:
        """A shot's last take, as its state file has it."""
        found: dict[str, Any] = self.film.state(shot)["takes"][-1]
        return found

    def delivered_off_the_record(self) -> None:
        """One take lies in the bucket, and on record it is only rendered, as where a worker brought it."""
        self.film.list({"a": "a lighthouse"})
        assert self.film.start(*self.film.arguments(), first=Mishap("kill", "stored")).result().code == -9
        only_rendered(self.film)
        for part in (self.film.folder / ".veopipe/shots/scratch").glob(".*.part"):
            part.unlink()


def only_rendered(film: Film) -> None:
    """Let the only take of shot `a` be one whose video wasn't fetched yet, as far as is on record."""
    state = film.folder / ".veopipe/shots/state/a.json"
    document = json.loads(state.read_text("utf-8"))
    (take,) = document["takes"]
    del take["file"]
    take["status"] = take["attempts"][-1]["status"] = "rendered"
    state.write_text(json.dumps(document), "utf-8")


@pytest.fixture
def remote(film: Film, store: Store, proxy: Proxy, prefix: str, tmp_path: Path) -> Iterator[Remote]:
    made = Remote(film, store, proxy, prefix)
    yield made
    for trace in traces_of(SECRET):
        assert not any(trace.decode() in text for text in made.outputs), "the secret was printed"
        hits = [path for path in tmp_path.rglob("*") if path.is_file() and trace in path.read_bytes()]
        assert not hits, f"the secret stands in {hits}"
    assert not leaks_below(tmp_path)
    marks = [mark for mark in store.objects(prefix).values() if mark]
    assert not any(trace.decode() in mark for mark in marks for trace in (*traces_of(SECRET), *traces_of(KEY)))


def test_a_list_is_delivered_into_a_bucket(remote: Remote, gateway: Simulator) -> None:
    remote.film.list({"a": "a lighthouse", "b": "a pier"})

    done = remote.run()

    assert (done.code, done.statuses) == (0, {"a": "verified", "b": "verified"})
    assert done.shots["a"]["file"] == f"{remote.url}/takes/a.001.mp4"
    objects = remote.objects()
    assert sorted(objects) == ["a.mp4", "b.mp4", "takes/a.001.mp4", "takes/b.001.mp4"]
    take = remote.take()
    mark = objects["takes/a.001.mp4"]
    assert mark == objects["a.mp4"]
    assert (mark["task_id"], mark["sha256"]) == (take["attempts"][0]["task_id"], take["file"]["sha256"])
    assert take["file"]["output"] == remote.prefix
    assert take["file"]["stored"].keys() == {"etag", "finished"}
    assert remote.files() == [".gitignore"]
    assert not (remote.film.folder / "renders").exists()
    assert not (remote.film.folder / "s3:").exists()
    assert len(gateway.charged) == 2


def test_a_run_that_has_nothing_to_do_lists_once_and_writes_nothing(remote: Remote) -> None:
    remote.film.list({"a": "a lighthouse", "b": "a pier"})
    remote.run()
    before = {path: path.read_bytes() for path in remote.film.folder.rglob("*") if path.is_file()}
    remote.proxy.asked.clear()

    done = remote.run()

    assert done.code == 0
    assert [method for method, _ in remote.proxy.asked] == ["GET", "GET"]  # the list, and `.ledger`
    after = {path: path.read_bytes() for path in remote.film.folder.rglob("*") if path.is_file()}
    assert {path for path in after if path.name != "lock" and before.get(path) != after[path]} == set()


def test_what_only_looks_asks_no_store(remote: Remote) -> None:
    remote.film.list({"a": "a lighthouse"})
    remote.run()
    remote.proxy.asked.clear()

    plan = remote.film.command("plan", "shots.yaml", "-p", "quick.yaml", "--format", "json")
    status = remote.film.command("status", "shots.yaml", "-p", "quick.yaml", "--format", "json")
    page = remote.film.command("report", "shots.yaml", "-p", "quick.yaml", "-o", "page.html")
    cut = remote.film.command("cut", "shots.yaml", "-p", "quick.yaml", "--format", "json")

    assert (plan.code, status.code, page.code, cut.code) == (0, 0, 0, 0)
    assert status.shots["a"]["file"] == f"{remote.url}/takes/a.001.mp4"
    html = (remote.film.folder / "page.html").read_text("utf-8")
    assert f"It lies at {remote.url}/takes/a.001.mp4" in html
    assert "<video" not in html
    assert '<p class="note">It lies at' in html
    assert remote.proxy.asked == []


def test_takes_that_nobody_knows_hold_their_shots(remote: Remote, gateway: Simulator) -> None:
    """As in a checkout with an older ledger."""
    remote.film.list({"a": "a lighthouse"})
    remote.run()
    (remote.film.folder / ".veopipe/shots/state/a.json").unlink()
    (remote.film.folder / ".veopipe/shots/runs/ledger.json").unlink()
    ledger = remote.film.folder / ".veopipe/shots/ledger.json"
    ledger.write_text(json.dumps({**json.loads(ledger.read_text()), "attempts": {}}))

    done = remote.run()

    assert done.code == 6
    assert f"{remote.url}/takes/a.001.mp4" in done.shots["a"]["reason"]
    assert len(gateway.charged) == 1


def test_a_prefix_of_another_ledger_is_refused_before_anything_is_sent(remote: Remote, gateway: Simulator) -> None:
    remote.store.put(remote.url, ".ledger", b"1234567890abcdef\n")
    remote.film.list({"a": "a lighthouse"})

    done = remote.film.run()

    assert done.code == 2
    assert "belongs to another ledger (its .ledger says 1234567890ab…)" in done.document["error"]
    assert gateway.charged == []


def test_a_ledger_that_lost_its_head_takes_its_id_from_the_store(remote: Remote, gateway: Simulator) -> None:
    remote.film.list({"a": "a lighthouse"})
    remote.run()
    head = remote.film.folder / ".veopipe/shots/ledger.json"
    before = json.loads(head.read_text())["id"]
    head.unlink()
    remote.film.list({"a": "a lighthouse", "b": "a pier"})

    done = remote.run()

    assert done.code == 0
    assert json.loads(head.read_text())["id"] == before
    assert len(gateway.charged) == 2


def test_what_is_not_ours_keeps_its_names(remote: Remote) -> None:
    remote.store.put(remote.url, "a.mp4", b"mine")
    remote.store.put(remote.url, "b.mp4", b"mine")
    remote.film.list({"a": "a lighthouse"})

    done = remote.run()

    assert done.code == 0
    assert remote.store.content(remote.url, "a.mp4") == b"mine"
    assert f"{remote.url}/a.mp4 holds none of the takes of a: left alone" in done.err
    assert remote.film.command("verify", "shots.yaml", "-p", "quick.yaml").code == 0


@pytest.mark.parametrize("name", ["ä b", "a#1", "a?x=1", "a%2Fb", "a+b&c=*", "'a'"])
def test_a_list_may_be_called_what_it_likes(remote: Remote, name: str) -> None:
    remote.film.list({"a": "a lighthouse"}, name=f"{name}.yaml")
    remote.film.list({"a": "another lighthouse"}, name="a.yaml")

    done = remote.film.run(manifest=f"{name}.yaml")
    other = remote.film.run(manifest="a.yaml")

    assert (done.code, other.code) == (0, 0)
    assert done.shots["a"]["file"] == f"{remote.prefix}/{name}/takes/a.001.mp4"
    found = remote.store.objects(remote.prefix)
    names = [".ledger", "a.mp4", "takes/a.001.mp4"]
    assert sorted(found) == sorted(f"{folder}/{each}" for folder in (name, "a") for each in names)
    assert remote.film.run(manifest=f"{name}.yaml").code == 0


def test_a_renamed_list_is_told_what_to_copy(remote: Remote, gateway: Simulator) -> None:
    remote.film.list({"a": "a lighthouse"})
    remote.run()
    (remote.film.folder / "shots.yaml").rename(remote.film.folder / "film.yaml")

    done = remote.film.run(manifest="film.yaml")

    assert done.code == 2
    assert f"copy {remote.prefix}/shots to {remote.prefix}/film in the store" in done.document["hint"]
    assert len(gateway.charged) == 1


# --- trouble ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["cut", "503", "lost", "flip", "slow=0.5"])
def test_what_may_pass_is_tried_again(remote: Remote, gateway: Simulator, what: str) -> None:
    remote.proxy.trouble = times(2, what, "PUT", "/takes/")
    remote.film.list({"a": "a lighthouse"})

    done = remote.run()

    assert (done.code, done.statuses) == (0, {"a": "verified"})
    assert sorted(remote.objects()) == ["a.mp4", "takes/a.001.mp4"]
    assert remote.proxy.puts() == ["a.001.mp4"] * (1 if what in {"lost", "slow=0.5"} else 3)
    assert len(gateway.charged) == 1


def test_a_video_may_take_longer_than_an_answer(remote: Remote) -> None:
    remote.proxy.trouble = times(1, "slow=4", "PUT", "/takes/")
    remote.film.list({"a": "a lighthouse"})

    done = remote.film.start(*remote.film.arguments(), first=hurried("delivery.buckets.objects.ANSWER_WAIT=2")).result()

    assert (done.code, done.statuses) == (0, {"a": "verified"})
    assert remote.proxy.puts() == ["a.001.mp4"]


def test_what_does_not_pass_is_parked_with_its_part_and_goes_on_later(remote: Remote, gateway: Simulator) -> None:
    remote.proxy.trouble = times(99, "cut", "PUT", "/takes/")
    remote.film.list({"a": "a lighthouse"})
    parked = remote.run()
    remote.proxy.trouble = lambda _method, _path: None
    fetched = sum(entry["path"].endswith("/content") for entry in gateway.wire)

    done = remote.run()

    assert (parked.code, parked.statuses) == (4, {"a": "parked"})
    assert "couldn't be put into the store 4 times" in parked.shots["a"]["reason"]
    assert (done.code, done.statuses) == (0, {"a": "verified"})
    assert sum(entry["path"].endswith("/content") for entry in gateway.wire) == fetched == 1
    assert len(gateway.charged) == 1


@pytest.mark.parametrize("what", ["403", "507"])
def test_a_store_that_refuses_ends_creating_and_keeps_the_part(remote: Remote, gateway: Simulator, what: str) -> None:
    remote.film.pipeline(output=remote.prefix, limits__in_flight=1)
    remote.proxy.trouble = times(99, what, "PUT", "/takes/")
    remote.film.list({shot: f"a lighthouse {shot}" for shot in "abcd"})

    refused = remote.run()

    assert refused.code == 6
    assert "the store refuses: " in refused.err
    assert len(gateway.charged) == 1
    assert remote.take()["status"] == "downloaded"
    assert remote.files() == [".a.001.part", ".gitignore"]

    remote.proxy.trouble = lambda _method, _path: None
    done = remote.run()

    assert (done.code, set(done.statuses.values())) == (0, {"verified"})
    assert len(gateway.charged) == 4


def test_on_a_store_that_ignores_conditions_nothing_is_overwritten_either(remote: Remote, gateway: Simulator) -> None:
    """A stranger's file is there when the take is to be put, and wasn't yet when the run looked."""
    strangers = iter(["takes/a.001.mp4", "takes/a.001-2.mp4"])

    def trouble(method: str, path: str) -> str | None:
        if method == "HEAD" and "/takes/" in path and (name := next(strangers, None)) is not None:
            remote.store.put(remote.url, name, b"older")
        return "deaf" if method == "PUT" else None

    remote.proxy.trouble = trouble
    remote.film.list({"a": "a lighthouse"})

    done = remote.run()

    assert (done.code, done.statuses) == (0, {"a": "verified"})
    assert remote.take()["file"]["name"] == "a.001-3.mp4"
    assert remote.store.content(remote.url, "takes/a.001.mp4") == b"older"
    assert remote.store.content(remote.url, "takes/a.001-2.mp4") == b"older"
    assert remote.objects()["a.mp4"] == remote.objects()["takes/a.001-3.mp4"]
    assert len(gateway.charged) == 1


@pytest.mark.parametrize("trouble", ["403", "slow=30"])
def test_a_store_that_is_not_there_at_the_start_costs_nothing(remote: Remote, gateway: Simulator, trouble: str) -> None:
    remote.proxy.trouble = times(99, trouble, "GET", "")
    remote.film.list({"a": "a lighthouse"})

    hurry = hurried("delivery.buckets.objects.ANSWER_WAIT=2")
    done = remote.film.start(*remote.film.arguments(), first=hurry).result()

    assert done.code == 6
    assert f"{remote.url} can't be used: " in done.document["error"]
    assert gateway.charged == []


def test_records_wait_behind_no_upload(
    remote: Remote, gateway: Simulator, until: Callable[[Callable[[], object]], None]
) -> None:
    """One video is on its way to a slow store; others fail, and that is on record meanwhile."""
    remote.film.pipeline(output=remote.prefix, limits__downloads=1)
    gateway.order_fault("failed_with_error", times=None, match={"prompt": "bad"})
    remote.proxy.trouble = times(99, "slow=30", "PUT", "/takes/a.")
    remote.film.list({"a": "a lighthouse", "b": "bad 1", "c": "bad 2"})
    started = remote.film.start(*remote.film.arguments())
    until(lambda: remote.proxy.puts())
    state = remote.film.folder / ".veopipe/shots/state"
    until(lambda: all('"failed"' in (state / f"{shot}.json").read_text("utf-8") for shot in "bc"))
    assert '"downloaded"' in (state / "a.json").read_text("utf-8")
    started.signal(signal.SIGINT)

    assert started.result(limit=20).code == 130


# --- ends -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["put", "stored", "copy", "measure"])
def test_killed_at_any_step_of_a_delivery_the_same_command_goes_on(
    remote: Remote, gateway: Simulator, step: str
) -> None:
    remote.film.list({"a": "a lighthouse"})
    killed = remote.film.start(*remote.film.arguments(), first=Mishap("kill", step)).result()

    done = remote.run()

    assert killed.code == -9
    assert (done.code, done.statuses) == (0, {"a": "verified"})
    assert sorted(remote.objects()) == ["a.mp4", "takes/a.001.mp4"]
    assert len(gateway.charged) == 1
    assert len(remote.proxy.puts()) == 1
    assert sum(entry["path"].endswith("/content") for entry in gateway.wire) == 1
    assert remote.files() == [".gitignore"]


def test_a_run_that_ends_while_a_video_is_on_its_way_reports_and_leaves(
    remote: Remote, gateway: Simulator, until: Callable[[Callable[[], object]], None]
) -> None:
    remote.proxy.trouble = times(1, "slow=20", "PUT", "/takes/")
    remote.film.list({"a": "a lighthouse"})
    started = remote.film.start(*remote.film.arguments())
    until(lambda: remote.proxy.puts())
    started.signal(signal.SIGINT)

    ended = started.result(limit=10)

    assert ended.code == 130
    assert ended.statuses == {"a": "downloaded"}
    assert remote.film.run().statuses == {"a": "verified"}
    assert sorted(remote.objects()) == ["a.mp4", "takes/a.001.mp4"]
    assert len(gateway.charged) == 1


def test_a_run_that_ends_in_a_pause_of_a_stores_begins_nothing_more(
    remote: Remote, until: Callable[[Callable[[], object]], None]
) -> None:
    refused: list[str] = []

    def trouble(method: str, path: str) -> str | None:
        if method == "HEAD" and "/takes/" in path and len(refused) < 3:
            refused.append(path)
            return "503"
        return "slow=25" if method == "PUT" and "/takes/" in path else None

    remote.proxy.trouble = trouble
    remote.film.list({"a": "a lighthouse"})
    started = remote.film.start(*remote.film.arguments())
    until(lambda: len(refused) == 3)  # two seconds before it is asked once more
    started.signal(signal.SIGINT)

    assert started.result(limit=10).code == 130
    assert remote.proxy.puts() == []
    remote.proxy.trouble = lambda _method, _path: None
    assert remote.film.run().statuses == {"a": "verified"}


@pytest.mark.parametrize("method", ["HEAD", "PUT"])
def test_a_run_waits_for_a_former_bucket_no_longer_than_for_its_own(
    remote: Remote, gateway: Simulator, until: Callable[[Callable[[], object]], None], method: str
) -> None:
    remote.film.list({"a": "a lighthouse"})
    remote.film.start(*remote.film.arguments(), first=Mishap("kill", "put")).result()
    if method == "HEAD":  # then its place is looked at in any case
        (remote.film.folder / ".veopipe/shots/scratch/.a.001.part").unlink()
    remote.film.pipeline()
    remote.proxy.trouble = times(9, "slow=25", method, "/takes/")
    remote.proxy.asked.clear()
    started = remote.film.start(*remote.film.arguments())
    until(lambda: any(asked == method for asked, _ in remote.proxy.asked))
    started.signal(signal.SIGINT)

    assert started.result(limit=10).code == 130
    remote.proxy.trouble = lambda _method, _path: None
    assert remote.film.run().statuses == {"a": "verified"}
    assert len(gateway.charged) == 1


def test_ctrl_c_is_heard_while_a_store_is_listed(
    remote: Remote, gateway: Simulator, until: Callable[[Callable[[], object]], None]
) -> None:
    remote.proxy.trouble = times(9, "slow=25", "GET", "")
    remote.film.list({"a": "a lighthouse"})
    started = remote.film.start(*remote.film.arguments())
    until(lambda: remote.proxy.asked)
    started.signal(signal.SIGINT)

    assert started.result(limit=10).code == 130
    assert gateway.charged == []


def test_a_program_that_uses_veopipe_ends_without_a_video_on_its_way(
    remote: Remote, until: Callable[[Callable[[], object]], None]
) -> None:
    program = """
import sys, veopipe
film = veopipe.open("shots.yaml", "quick.yaml")
try:
    film.run(veopipe.Permission.of(film.plan()))
except KeyboardInterrupt:
    sys.exit(3)
"""
    remote.proxy.trouble = times(1, "slow=25", "PUT", "/takes/")
    remote.film.pipeline(output=remote.prefix, provider__base_url=remote.film.base_url)
    remote.film.list({"a": "a lighthouse"})
    environment = {**os.environ, **remote.film.environment}
    with subprocess.Popen([sys.executable, "-c", program], cwd=remote.film.folder, env=environment) as started:
        until(lambda: remote.proxy.puts())
        started.send_signal(signal.SIGINT)

        assert started.wait(10) == 3
    assert remote.take()["status"] == "downloaded"
    assert remote.film.run().statuses == {"a": "verified"}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("rounds", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_short_runs_end_with_the_right_code(remote: Remote, rounds: int) -> None:
    codes, shots = [], {}
    for number in range(rounds):  # each of which puts one take there
        shots[f"s{number}"] = f"a lighthouse {number}"
        remote.film.list(shots)
        codes.append(remote.run().code)

    assert codes == [0] * rounds
    assert len(remote.proxy.puts()) == rounds


# --- one after the other ----------------------------------------------------------------------------


def test_a_list_goes_on_in_a_bucket_where_it_began_in_a_folder(remote: Remote, gateway: Simulator) -> None:
    film = remote.film
    film.pipeline()
    film.list({"a": "a lighthouse"})
    assert film.run().code == 0
    film.pipeline(output=remote.prefix)
    film.list({"a": "a lighthouse", "b": "a pier"})

    done = remote.run()

    assert done.code == 0
    assert {shot: row["file"] for shot, row in done.shots.items()} == {
        "a": "renders/shots/takes/a.001.mp4",
        "b": f"{remote.url}/takes/b.001.mp4",
    }
    assert sorted(remote.objects()) == ["b.mp4", "takes/b.001.mp4"]
    film.pipeline()
    back = film.run()
    assert back.code == 0
    assert {shot: row["file"] for shot, row in back.shots.items()} == {
        "a": "renders/shots/a.mp4",
        "b": f"{remote.url}/takes/b.001.mp4",
    }
    assert sorted(path.name for path in (film.folder / "renders/shots").glob("*.mp4")) == ["a.mp4"]
    assert len(gateway.charged) == 2


@pytest.mark.parametrize("now", ["a folder", "another bucket"])
def test_takes_of_a_bucket_that_is_the_output_no_more_are_still_ours(remote: Remote, now: str) -> None:
    remote.film.list({"a": "a lighthouse", "b": "a pier"})
    remote.run()
    remote.film.pipeline(**{} if now == "a folder" else {"output": f"{remote.prefix}/second"})

    assert {shot: fine for shot, (fine, _) in checked(remote).items()} == {"a": True, "b": True}
    remote.store.remove(remote.url, "takes/b.001.mp4")
    assert {shot: fine for shot, (fine, _) in checked(remote).items()} == {"a": True, "b": False}


def test_a_part_of_a_former_bucket_is_put_there_as_its_ledgers(remote: Remote, gateway: Simulator) -> None:
    remote.film.list({"a": "a lighthouse"})
    remote.film.start(*remote.film.arguments(), first=Mishap("kill", "put")).result()
    remote.film.pipeline()

    elsewhere = remote.run()
    remote.film.pipeline(output=remote.prefix)
    back = remote.run()

    assert (elsewhere.code, back.code, back.statuses) == (0, 0, {"a": "verified"})
    assert sorted(remote.objects()) == ["a.mp4", "takes/a.001.mp4"]
    assert remote.objects()["a.mp4"]["ledger"]
    assert len(remote.proxy.puts()) == len(gateway.charged) == 1


def test_a_take_that_is_gone_from_the_former_folder_is_missed_and_fetched(remote: Remote, gateway: Simulator) -> None:
    remote.film.pipeline()
    remote.film.list({"a": "a lighthouse"})
    remote.film.run()
    (remote.film.folder / "renders/shots/takes/a.001.mp4").unlink()
    (remote.film.folder / "renders/shots/a.mp4").unlink()
    remote.film.pipeline(output=remote.prefix)

    done = remote.run()

    assert (done.code, done.statuses) == (0, {"a": "verified"})
    assert done.shots["a"]["file"]
    assert checked(remote)["a"][0]
    assert len(gateway.charged) == 1


def test_a_pick_moves_the_finished_name_with_the_next_run(remote: Remote) -> None:
    remote.film.list({"a": {"prompt": "a lighthouse", "takes": 2}})
    remote.run()
    said = remote.film.command("review", "shots.yaml", "a", "--pick", "1", "-p", "quick.yaml")
    assert said.code == 0
    assert "finished names in the store follow with the next run" in said.err
    assert "a.mp4" not in remote.objects()

    remote.run()
    first = remote.objects()
    remote.film.command("review", "shots.yaml", "a", "--pick", "2", "-p", "quick.yaml")
    remote.run()

    assert first["a.mp4"] == first["takes/a.001.mp4"]
    assert remote.objects()["a.mp4"] == first["takes/a.002.mp4"]


def test_a_pick_that_is_made_while_a_run_is_on_moves_the_finished_name_at_its_end(
    remote: Remote, until: Callable[[Callable[[], object]], None]
) -> None:
    remote.film.list({"a": {"prompt": "a lighthouse", "takes": 2}})
    remote.run()
    assert remote.film.command("review", "shots.yaml", "a", "--pick", "1", "-p", "quick.yaml").code == 0
    remote.film.list({"a": {"prompt": "a lighthouse", "takes": 2}, "b": "a pier"})
    remote.proxy.trouble = times(1, "slow=6", "PUT", "/takes/b.")
    started = remote.film.start(*remote.film.arguments())
    until(lambda: "b.001.mp4" in remote.proxy.puts())

    assert remote.film.command("review", "shots.yaml", "a", "--pick", "2", "-p", "quick.yaml").code == 0

    assert started.result().code == 0
    assert remote.objects()["a.mp4"] == remote.objects()["takes/a.002.mp4"]


def test_a_rehearsal_has_a_prefix_of_its_own(remote: Remote) -> None:
    remote.film.list({"a": "a lighthouse"})

    done = remote.film.run("--simulate")

    assert done.code == 0
    assert remote.objects() == {}
    assert sorted(remote.store.objects(f"{remote.prefix}/shots.simulated")) == [".ledger", "a.mp4", "takes/a.001.mp4"]


def test_a_take_that_is_gone_from_the_bucket_is_brought_back(remote: Remote, gateway: Simulator) -> None:
    remote.film.list({"a": "a lighthouse"})
    remote.run()
    remote.store.remove(remote.url, "takes/a.001.mp4")
    copied = remote.run()
    assert sorted(remote.objects()) == ["a.mp4", "takes/a.001.mp4"]
    assert "a.001.mp4" in remote.proxy.puts()
    remote.store.remove(remote.url, "takes/a.001.mp4")
    remote.store.remove(remote.url, "a.mp4")

    fetched = remote.run()

    assert (copied.code, fetched.code) == (0, 0)
    assert sorted(remote.objects()) == ["a.mp4", "takes/a.001.mp4"]
    assert len(gateway.charged) == 1


def test_what_was_changed_under_our_metadata_is_no_take(remote: Remote, gateway: Simulator) -> None:
    """Another program wrote shorter content in its place, and kept what the metadata say."""
    remote.film.list({"a": "a lighthouse"})
    remote.run()
    mark, size = json.dumps(remote.objects()["a.mp4"]), remote.take()["file"]["bytes"]
    for name in ("takes/a.001.mp4", "a.mp4"):
        remote.store.put(remote.url, name, b"not a video at all", {"veopipe": mark})

    done = remote.run()

    assert (done.code, done.statuses) == (0, {"a": "verified"})
    assert remote.take()["file"]["name"] == "a.001-2.mp4"
    assert len(remote.store.content(remote.url, "takes/a.001-2.mp4")) == size
    assert remote.store.content(remote.url, "takes/a.001.mp4") == b"not a video at all"
    assert remote.store.content(remote.url, "a.mp4") == b"not a video at all"
    assert "a.mp4 holds none of the takes of a: left alone" in done.err
    assert checked(remote)["a"][0]
    assert len(gateway.charged) == 1


def test_what_was_changed_before_it_was_on_record_is_not_adopted(remote: Remote, gateway: Simulator) -> None:
    remote.film.list({"a": "a lighthouse"})
    killed = remote.film.start(*remote.film.arguments(), first=Mishap("kill", "stored")).result()
    mark = json.dumps(remote.objects()["takes/a.001.mp4"])
    remote.store.put(remote.url, "takes/a.001.mp4", b"cut short", {"veopipe": mark})
    (remote.film.folder / ".veopipe/shots/scratch/.a.001.part").unlink()

    done = remote.run()

    assert (killed.code, done.code, done.statuses) == (-9, 0, {"a": "verified"})
    file = remote.take()["file"]
    assert file["name"] == "a.001-2.mp4"
    assert len(remote.store.content(remote.url, "takes/a.001-2.mp4")) == file["bytes"]
    assert len(gateway.charged) == 1


def test_a_chain_takes_its_frames_from_the_bucket(remote: Remote, gateway: Simulator) -> None:
    remote.film.list(
        {"a": "a lighthouse", "b": {"prompt": "on it goes", "input_reference": {"shot": "a", "frame": "last"}}}
    )

    done = remote.run()

    assert (done.code, done.statuses) == (0, {"a": "verified", "b": "verified"})
    assert remote.files() == [".gitignore", "a.001.mp4", "frames"]
    assert len(gateway.charged) == 2
    cut = remote.film.command("cut", "shots.yaml", "-p", "quick.yaml", "-o", "film.mp4")
    assert cut.code == 0
    assert (remote.film.folder / "film.mp4").stat().st_size > 1000
    still = remote.film.command("frame", "shots.yaml", "b", "-p", "quick.yaml", "-o", "b.png")
    assert still.code == 0


def test_what_a_worker_put_there_is_adopted_without_asking_the_gateway(remote: Remote, gateway: Simulator) -> None:
    remote.delivered_off_the_record()
    gateway.order_fault("expired_410", times=None)
    begun = len(gateway.wire)

    done = remote.run()

    assert (done.code, done.statuses) == (0, {"a": "verified"})
    assert not any(entry["path"].endswith("/content") for entry in gateway.wire[begun:])
    assert len(gateway.charged) == 1


def test_nothing_is_written_off_that_a_worker_put_there_meanwhile(remote: Remote, gateway: Simulator) -> None:
    """The list of the bucket didn't have it yet."""
    remote.delivered_off_the_record()
    gateway.order_fault("expired_410", times=None)
    name = "takes/a.001.mp4"
    content, mark = remote.store.content(remote.url, name), json.dumps(remote.objects()[name])
    remote.store.remove(remote.url, name)
    puts = iter([True])

    def trouble(method: str, path: str) -> None:
        if method == "GET" and path.endswith("/.ledger") and next(puts, False):
            remote.store.put(remote.url, name, content, {"veopipe": mark})

    remote.proxy.trouble = trouble
    done = remote.run()

    assert (done.code, done.statuses) == (0, {"a": "verified"})
    assert sum(entry["path"].endswith("/content") for entry in gateway.wire) == 2
    assert len(gateway.charged) == 1


def test_a_store_that_cant_be_asked_writes_nothing_off(remote: Remote, gateway: Simulator) -> None:
    remote.delivered_off_the_record()
    gateway.order_fault("expired_410", times=None)
    remote.proxy.trouble = times(99, "403", "HEAD", "/takes/")

    refused = remote.run()
    remote.proxy.trouble = lambda _method, _path: None

    assert (refused.code, refused.statuses) == (6, {"a": "rendered"})
    assert remote.run().statuses == {"a": "verified"}


def test_verify_judges_by_the_bucket_where_a_part_lies_on_this_disk_too(remote: Remote) -> None:
    remote.film.list({"a": "a lighthouse"})
    remote.run()
    content = remote.store.content(remote.url, "takes/a.001.mp4")
    mark = json.dumps(remote.objects()["takes/a.001.mp4"])
    (remote.film.folder / ".veopipe/shots/scratch/.a.001.part").write_bytes(content)
    remote.store.put(remote.url, "takes/a.001.mp4", content + b"?")
    remote.store.put(remote.url, "takes/a.001-2.mp4", content, {"veopipe": mark})

    (fine, said) = checked(remote)["a"]

    assert (fine, said) == (False, "not what was delivered: a.001-2.mp4 has its task")


# --- looking again ----------------------------------------------------------------------------------


def checked(remote: Remote, *words: str) -> dict[str, Any]:
    done = remote.film.command("verify", "shots.yaml", "-p", "quick.yaml", "--format", "json", *words)
    remote.outputs += [done.out, done.err]
    return {finding["shot"]: (finding["fine"], finding["said"]) for finding in done.document["checked"]}


def test_verify_judges_by_the_list_and_reads_only_when_asked(remote: Remote) -> None:
    remote.film.list({shot: f"a lighthouse {shot}" for shot in "abcd"})
    remote.run()
    content = remote.store.content(remote.url, "takes/d.001.mp4")
    remote.store.remove(remote.url, "takes/b.001.mp4")
    remote.store.put(remote.url, "takes/c.001.mp4", b"short")
    mark = json.dumps(remote.objects()["takes/d.001.mp4"])
    remote.store.put(remote.url, "takes/d.001.mp4", content[:-1] + b"?", {"veopipe": mark})
    remote.proxy.asked.clear()

    by_list = checked(remote)
    gets = [path for method, path in remote.proxy.asked if method == "GET" and "/takes/" in path]
    by_content = checked(remote, "--content")

    assert by_list["a"][0]
    assert not by_list["b"][0]
    assert "missing" in by_list["b"][1]
    assert not by_list["c"][0]
    assert by_list["d"][0]  # its metadata lies, and only reading it shows that
    assert gets == []
    assert {shot: fine for shot, (fine, _) in by_content.items()} == {"a": True, "b": False, "c": False, "d": False}
    assert remote.files() == [".gitignore"]


def test_verify_without_its_store_is_an_error_of_the_surroundings(remote: Remote) -> None:
    remote.film.list({"a": "a lighthouse"})
    remote.run()
    remote.proxy.trouble = times(99, "403", "GET", "")

    done = remote.film.command("verify", "shots.yaml", "-p", "quick.yaml")

    assert done.code == 6
    assert "HTTP 403 AccessDenied" in done.err


# --- doctor -----------------------------------------------------------------------------------------


def doctor(remote: Remote) -> dict[str, tuple[str, str]]:
    words = ("doctor", "-p", "quick.yaml", "--base-url", remote.film.base_url, "--format", "json")
    done = remote.film.command(*words)
    remote.outputs += [done.out, done.err]
    return {check["name"]: (check["state"], check["found"]) for check in done.document["checks"]}


def test_doctor_proves_that_a_store_can_be_written_keeps_conditions_and_has_the_time(remote: Remote) -> None:
    first, second = doctor(remote), doctor(remote)

    for checks in (first, second):
        assert checks["store"] == ("good", f"{remote.prefix} can be listed, read and written")
        assert checks["conditions"][0] == "good"
        assert checks["store's clock"][0] == "good"
    assert list(remote.store.objects(remote.prefix)) == [".doctor"]


@pytest.mark.parametrize(
    "content", [b"somebody's prescription", b"x" * 69, b"x" * 5000], ids=["short", "as long", "long"]
)
def test_doctor_leaves_another_object_of_its_name_alone(remote: Remote, content: bytes) -> None:
    remote.store.put(remote.prefix, ".doctor", content)

    state, found = doctor(remote)["store"]

    assert state == "bad"
    assert ".doctor there was put by something else, so nothing was tried" in found
    assert remote.store.content(remote.prefix, ".doctor") == content
    assert not [path for method, path in remote.proxy.asked if method == "PUT"]


def test_doctor_says_that_a_store_ignores_conditions(remote: Remote) -> None:
    remote.proxy.trouble = lambda method, _path: "deaf" if method == "PUT" else None

    assert doctor(remote)["conditions"][0] == "note"


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_doctor_says_what_a_store_refuses(remote: Remote, method: str) -> None:
    remote.proxy.trouble = times(99, "403", method, "")

    state, found = doctor(remote)["store"]

    assert state == "bad"
    assert "HTTP 403 AccessDenied: not today" in found
