"""An engine brings the videos: real schedulers, workers, pools and certificates, killed and frozen while they work.

Whatever happens to them, the gateway's own books hold one create a shot, and every take is verified in the end.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.acceptance.test_buckets import only_rendered
from tests.harness.canary import holds_key, leaks_below
from tests.harness.cluster import ROOT, Cluster, Member, wait_for
from tests.harness.film import COMMAND, Film, Result, Started
from tests.harness.fork import Mishap, hurried
from tests.harness.store import Store
from tests.harness.store import environment_of as store_environment
from veopipe.simulator.server import Simulator

pytestmark = pytest.mark.engine
SHOTS = {f"s{number}": f"a cat, {number}" for number in range(8)}
ALL = dict.fromkeys(SHOTS, "verified")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler of this test's own, still without workers."""
    with Cluster(tmp_path / "cluster") as running:
        yield running
        assert not holds_key(running.said())


@pytest.fixture
def slow(gateway: Simulator) -> Simulator:
    """Videos take their time."""
    gateway.order_fault("slow_drip", times=None, interval=0.01)
    return gateway


def takes(film: Film) -> list[str]:
    """What workers and runs left in the folder of takes."""
    return sorted(path.name for path in (film.folder / "renders" / "shots" / "takes").iterdir())


def parts(film: Film) -> list[str]:
    return [name for name in takes(film) if name.endswith(".part")]


def fetches(gateway: Simulator) -> int:
    """How many downloads were begun."""
    return sum(entry["path"].endswith("/content") for entry in gateway.wire)


def begin(film: Film, cluster: Cluster, gateway: Simulator) -> Started:
    """Start a run, and wait until all is bought, and workers download."""
    film.list(SHOTS)
    started = film.start(*film.arguments("--executor", cluster.executor))
    wait_for(lambda: bought(film) == len(SHOTS) and fetches(gateway) >= 2)
    return started


def bought(film: Film) -> int:
    """How many answers to creates are on record."""
    states = (film.folder / ".veopipe" / "shots" / "state").glob("s*.json")
    return sum('"task_id"' in path.read_text("utf-8") for path in states)


def is_whole(film: Film, gateway: Simulator) -> None:
    """One create for each shot, every file as it is on record, nothing left over."""
    assert len(gateway.ledger) == len(SHOTS)
    assert film.command("verify", "shots.yaml", "-p", "quick.yaml").code == 0
    assert [name for name in takes(film) if name.endswith(".mp4")] == [f"{shot}.001.mp4" for shot in sorted(SHOTS)]


def finished(result: Result) -> bool:
    return (result.code, result.statuses) == (0, ALL)


def test_workers_bring_the_videos_and_the_run_fetches_none(film: Film, cluster: Cluster, gateway: Simulator) -> None:
    cluster.workers(2)
    film.list(SHOTS)
    film.pipeline(executor=cluster.executor)
    result = film.run()

    assert finished(result), result
    assert "distributed" not in result.err
    is_whole(film, gateway)
    assert fetches(gateway) == len(SHOTS)
    folder, tasks = film.folder / "renders" / "shots" / "takes", set()
    for shot in SHOTS:
        mark = json.loads((folder / f".{shot}.001.json").read_text("utf-8"))
        tasks.add(mark["task_id"])
        assert mark["sha256"] == film.state(shot)["takes"][0]["file"]["sha256"]
    assert tasks == {create["task_id"] for create in gateway.ledger}
    assert parts(film) == []
    assert leaks_below(cluster.folder) == []
    again = film.run()
    assert finished(again)
    assert fetches(gateway) == len(SHOTS)


def test_to_dask_all_errands_are_of_one_kind_which_it_shares_out_evenly(
    film: Film, cluster: Cluster, gateway: Simulator
) -> None:
    """Of a kind it knows how long one takes; what was each of its own kind went to whom it had looked at last."""
    cluster.workers(2)
    film.list(SHOTS)
    assert finished(film.run("--executor", cluster.executor))

    assert cluster.kinds() == ["errand"]


def test_a_worker_that_is_killed_costs_a_download_at_most(film: Film, cluster: Cluster, slow: Simulator) -> None:
    first, _ = cluster.workers(2)
    run = begin(film, cluster, slow)
    first.kill()

    assert finished(run.result())
    is_whole(film, slow)


def test_a_scheduler_that_is_killed_and_comes_back_is_found_again(
    film: Film, cluster: Cluster, slow: Simulator
) -> None:
    cluster.workers(2)
    run = begin(film, cluster, slow)
    assert cluster.scheduler is not None
    cluster.scheduler.kill()
    cluster.schedule()
    cluster.workers(2)

    assert finished(run.result())
    is_whole(film, slow)


def test_the_same_command_adopts_what_workers_brought_for_a_run_that_was_killed(
    film: Film, cluster: Cluster, slow: Simulator
) -> None:
    cluster.workers(2)
    run = begin(film, cluster, slow)
    run.signal(signal.SIGKILL)
    assert run.result().code == -signal.SIGKILL

    assert finished(film.run("--executor", cluster.executor))
    is_whole(film, slow)


def test_a_run_on_one_machine_adopts_what_a_worker_brought(film: Film, cluster: Cluster, gateway: Simulator) -> None:
    cluster.workers(1, threads=8)
    gateway.order_fault("slow_drip", times=None, interval=0.003)
    run = begin(film, cluster, gateway)
    wait_for(lambda: fetches(gateway) == 4)  # `downloads` at once
    run.signal(signal.SIGSTOP)
    wait_for(lambda: len([name for name in takes(film) if name.endswith(".mp4")]) >= 4)
    run.signal(signal.SIGKILL)
    run.result()
    begun = fetches(gateway)

    assert finished(film.run("--executor", "local"))
    is_whole(film, gateway)
    assert fetches(gateway) - begun <= len(SHOTS) - 4


def test_a_worker_that_is_frozen_finds_the_names_taken_when_it_wakes(
    film: Film, cluster: Cluster, slow: Simulator
) -> None:
    first, _ = cluster.workers(2)
    run = begin(film, cluster, slow)
    first.signal(signal.SIGSTOP)

    assert finished(run.result())
    is_whole(film, slow)
    first.signal(signal.SIGCONT)
    wait_for(lambda: parts(film) == [])
    is_whole(film, slow)


def test_workers_put_the_videos_into_a_bucket_also_for_a_run_that_was_killed(
    film: Film, cluster: Cluster, slow: Simulator, store: Store, prefix: str
) -> None:
    credentials = store_environment(store.endpoint)
    film.environment |= credentials
    for worker in [cluster.worker(**credentials) for _ in range(2)]:
        worker.until_it_says("Registered to:")
    film.pipeline(output=prefix)
    run = begin(film, cluster, slow)
    run.signal(signal.SIGKILL)
    run.result()

    assert finished(film.run("--executor", cluster.executor))
    assert len(slow.ledger) == len(SHOTS)
    names = store.objects(f"{prefix}/shots").keys()
    assert {name for name in names if name.endswith(".mp4")} == {
        *(f"{shot}.mp4" for shot in SHOTS),
        *(f"takes/{shot}.001.mp4" for shot in SHOTS),
    }
    assert film.command("verify", "shots.yaml", "-p", "quick.yaml", "--content").code == 0
    assert not any(film.folder.rglob("*.part"))


def test_a_part_on_this_disk_hides_nothing_that_a_worker_put_into_a_bucket(
    film: Film, cluster: Cluster, gateway: Simulator, store: Store, prefix: str
) -> None:
    """A run without an engine was killed before it recorded that it had the video."""
    credentials = store_environment(store.endpoint)
    film.environment |= credentials
    cluster.worker(**credentials).until_it_says("Registered to:")
    film.pipeline(output=prefix)
    film.list({"a": "a cat"})
    assert film.start(*film.arguments(), first=Mishap("kill", "put")).result().code == -signal.SIGKILL
    only_rendered(film)
    assert (film.folder / ".veopipe/shots/scratch/.a.001.part").exists()

    result = film.run("--executor", cluster.executor)

    assert (result.code, result.statuses) == (0, {"a": "verified"})
    assert fetches(gateway) == 2
    assert not any(film.folder.rglob("*.part"))
    assert len(gateway.ledger) == 1


def refused(film: Film, cluster: Cluster, worker: Member) -> Result:
    """How a run ends whose only worker can't run errands."""
    worker.until_it_says("Registered to:")
    film.list(SHOTS)
    return film.run("--executor", cluster.executor)


def test_a_worker_without_a_key_is_named_before_anything_is_bought(
    film: Film, cluster: Cluster, posts: Callable[[], int]
) -> None:
    keyless = cluster.worker(VEOPIPE_API_KEY="")
    result = refused(film, cluster, keyless)

    assert result.code == 6
    assert "VEOPIPE_API_KEY" in result.err
    assert f":{keyless.process.pid}:" in result.err  # which worker
    assert posts() == 0
    cluster.workers(1)
    film.pipeline(executor=cluster.executor)
    doctor = film.command("doctor", "-p", "quick.yaml", "--base-url", film.base_url, "--format", "json")
    checks = [check for check in doctor.document["checks"] if check["name"] in {"executor", "worker"}]
    assert [check["state"] for check in checks if check["name"] == "worker"].count("good") == 1
    assert checks[0]["found"] == "dask: 1 of 2 workers can run errands"
    assert list(film.folder.glob(".engine*")) == []


def doctor(film: Film) -> dict[str, tuple[str, str]]:
    """Checks of doctor by their names: state, and what was found."""
    done = film.command("doctor", "-p", "quick.yaml", "--base-url", film.base_url, "--format", "json")
    return {check["name"]: (check["state"], check["found"]) for check in done.document["checks"]}


def test_doctor_leaves_a_file_of_the_users_alone(film: Film, cluster: Cluster) -> None:
    cluster.workers(1)
    film.pipeline(executor=cluster.executor)
    (film.folder / ".engine").write_text("mine")

    assert doctor(film)["worker"][0] == "good"
    assert (film.folder / ".engine").read_text() == "mine"
    assert [path.name for path in film.folder.glob(".engine*")] == [".engine"]


def test_doctor_takes_no_name_in_a_bucket_that_a_list_has(
    film: Film, cluster: Cluster, store: Store, prefix: str
) -> None:
    credentials = store_environment(store.endpoint)
    film.environment |= credentials
    cluster.worker(**credentials).until_it_says("Registered to:")
    film.pipeline(output=prefix, executor=cluster.executor)

    assert doctor(film)["worker"][0] == "good"
    assert doctor(film)["worker"][0] == "good"
    assert sorted(store.objects(prefix)) == [".doctor", ".engine/doctor/.engine"]


def test_a_worker_of_another_version_is_refused_before_anything_is_bought(
    film: Film, cluster: Cluster, posts: Callable[[], int], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    for part in ("veopipe", "schemas", "pipelines"):
        shutil.copytree(ROOT / part, other / part, ignore=shutil.ignore_patterns("__pycache__"))
    init = other / "veopipe" / "__init__.py"
    init.write_text(init.read_text("utf-8") + '\n__version__ = "0.0.1"\n', "utf-8")
    result = refused(film, cluster, cluster.worker(root=other))

    assert result.code == 6
    assert "0.0.1" in result.err
    assert posts() == 0


def test_a_worker_that_loses_its_key_leaves_its_errands_to_others(
    film: Film, cluster: Cluster, gateway: Simulator
) -> None:
    """The worse worker may be the quicker one; what it can't do is given out again."""
    cluster.worker(threads=1, VEOPIPE_API_KEY="").until_it_says("Registered to:")
    cluster.workers(1)
    film.list(SHOTS)
    started = film.start(
        *film.arguments("--executor", cluster.executor), first=hurried("run.carrying.carrying.UNFIT_PAUSE=0.2")
    )

    assert finished(started.result())
    is_whole(film, gateway)


def test_without_workers_nothing_is_bought_and_what_is_paid_stays(
    film: Film, cluster: Cluster, slow: Simulator
) -> None:
    (worker,) = cluster.workers(1)
    film.list(SHOTS)
    hurry = hurried(
        "run.carrying.carrying.PATIENCE=1", "run.carrying.carrying.THE_END=3", "run.carrying.carrying.LOOK=0.2"
    )
    words = film.arguments("--executor", cluster.executor)
    run = film.start(*words, first=hurry)
    wait_for(lambda: fetches(slow) >= 1)
    worker.kill()
    result = run.result()

    assert result.code == 6
    assert "has no workers" in result.err
    assert "rendered" in set(result.statuses.values())
    assert finished(film.run("--executor", "local"))
    is_whole(film, slow)


def test_workers_that_lose_sight_of_the_output_end_creating_and_then_the_run(
    film: Film, cluster: Cluster, slow: Simulator
) -> None:
    cluster.workers(1)
    film.list(SHOTS)
    hurry = hurried(
        "run.carrying.carrying.PATIENCE=1", "run.carrying.carrying.THE_END=3", "run.carrying.carrying.UNFIT_PAUSE=0.2"
    )
    run = film.start(*film.arguments("--executor", cluster.executor), first=hurry)
    wait_for(lambda: bought(film) == len(SHOTS) and fetches(slow) >= 2)
    (film.folder / "renders" / "shots" / "takes" / ".engine").write_text("another folder")
    result = run.result()

    assert result.code == 6
    assert "it sees another folder" in result.err
    assert set(result.statuses.values()) == {"verified", "rendered"}
    assert finished(film.run("--executor", cluster.executor))
    is_whole(film, slow)


def test_without_a_scheduler_nothing_is_sent(film: Film, posts: Callable[[], int]) -> None:
    film.list(SHOTS)
    words = film.arguments("--executor", "dask+tcp://127.0.0.1:9")
    result = film.start(*words, first=hurried("run.carrying.engine.CONNECT_WAIT=1")).result()

    assert result.code == 6
    assert "tcp://127.0.0.1:9 doesn't answer" in result.err
    assert posts() == 0


def test_an_engine_that_nothing_needs_isnt_asked(film: Film, gateway: Simulator) -> None:
    film.list({"a": "a cat"})
    assert film.run().code == 0
    shown = film.folder / "renders" / "shots" / "a.mp4"
    shown.unlink()

    result = film.run("--executor", "dask+tcp://127.0.0.1:9")

    assert (result.code, result.statuses) == (0, {"a": "verified"})
    assert shown.exists()


def test_an_engine_is_asked_once_a_video_must_be_fetched_again(
    film: Film, cluster: Cluster, gateway: Simulator
) -> None:
    cluster.workers(1)
    film.list({"a": "a cat"})
    assert film.start(*film.arguments(), first=Mishap("kill", "measure")).result().code == -signal.SIGKILL
    (film.folder / "renders" / "shots" / "takes" / ".a.001.part").unlink()

    result = film.run("--executor", cluster.executor)

    assert (result.code, result.statuses) == (0, {"a": "verified"})
    assert fetches(gateway) == 2
    assert len(gateway.ledger) == 1


def test_ctrl_c_ends_a_run_whose_errands_are_under_way(film: Film, cluster: Cluster, slow: Simulator) -> None:
    cluster.workers(1)
    run = begin(film, cluster, slow)
    run.signal(signal.SIGINT)

    assert run.result(20).code == 130
    assert finished(film.run("--executor", "local"))
    is_whole(film, slow)


@pytest.mark.parametrize("kind", ["download", 30, 45, 60])
def test_a_run_that_dies_with_an_errand_under_way_goes_on(
    kind: str | int, film: Film, cluster: Cluster, gateway: Simulator
) -> None:
    cluster.workers(1)
    film.list({"shot": "a cat"})
    words = film.arguments("--executor", cluster.executor)
    first = film.start(*words, first=Mishap("kill", "download")).result()
    assert first.code == -signal.SIGKILL
    second = film.start(*words, first=Mishap("kill", kind)).result()
    assert second.code in {0, -signal.SIGKILL}

    assert film.run("--executor", cluster.executor).statuses == {"shot": "verified"}
    assert len(gateway.ledger) == 1
    assert [name for name in takes(film) if name.endswith(".mp4")] == ["shot.001.mp4"]


# --- other engines, and what can't be one ---------------------------------------------------------


POOL = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

def pool(url):
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))
"""


@pytest.fixture
def plugged(tmp_path: Path) -> Path:
    """A folder with an installed package that brings an executor."""
    (tmp_path / "site" / "pools-1.0.dist-info").mkdir(parents=True)
    (tmp_path / "site" / "pools.py").write_text(POOL)
    about = tmp_path / "site" / "pools-1.0.dist-info"
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pools\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[veopipe.executors]\nprocesses = pools:pool\n")
    return tmp_path / "site"


def test_another_engine_comes_in_by_an_entry_point(film: Film, gateway: Simulator, plugged: Path) -> None:
    film.list(SHOTS)
    path = f"{ROOT}{os.pathsep}{plugged}"
    words = film.arguments("--executor", "processes")
    result = film.start(*words, program=COMMAND, PYTHONPATH=path).result()

    assert finished(result), result
    is_whole(film, gateway)
    unknown = film.start(*film.arguments("--executor", "ray"), program=COMMAND, PYTHONPATH=path).result()
    assert unknown.code == 2
    assert "no executor ray" in unknown.document["error"]
    assert "processes" in unknown.document["hint"]


def test_doctor_says_that_an_executor_breaks(film: Film, gateway: Simulator, plugged: Path) -> None:
    (plugged / "pools.py").write_text(
        POOL.replace(", mp_context=", ", initializer=os._exit, initargs=(1,), mp_context=").replace(
            "import multi", "import os, multi", 1
        )
    )
    film.pipeline(executor="processes")
    words = ("doctor", "-p", "quick.yaml", "--base-url", film.base_url, "--format", "json")
    done = film.start(*words, program=COMMAND, PYTHONPATH=f"{ROOT}{os.pathsep}{plugged}").result()
    (found,) = [check["found"] for check in done.document["checks"] if check["name"] == "executor"]

    assert done.code == 6
    assert "no errand comes back from the executor processes: BrokenProcessPool" in found


FORGETFUL = """
import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor

from veopipe.run.carrying import carrying

carrying.OVERDUE, carrying.LOOK = 5.0, 0.2

class Forgetful(ProcessPoolExecutor):
    forgets = 3

    def submit(self, fn, text):
        if '"task": null' not in text and self.forgets:
            self.forgets -= 1
            return Future()
        return super().submit(fn, text)

def pool(url):
    return Forgetful(2, mp_context=multiprocessing.get_context("spawn"))
"""


def test_errands_that_an_engine_forgets_are_given_out_again(film: Film, gateway: Simulator, plugged: Path) -> None:
    (plugged / "pools.py").write_text(FORGETFUL)
    film.list(SHOTS)
    words = film.arguments("--executor", "processes")
    result = film.start(*words, program=COMMAND, PYTHONPATH=f"{ROOT}{os.pathsep}{plugged}").result()

    assert finished(result), result
    assert "the errand didn't come back in 5 s" in result.err
    is_whole(film, gateway)


def test_a_pool_whose_process_dies_is_opened_again_and_none_outlives_the_run(
    film: Film, slow: Simulator, plugged: Path
) -> None:
    film.list(SHOTS)
    path = f"{ROOT}{os.pathsep}{plugged}"
    words = film.arguments("--executor", "processes")
    run = film.start(*words, program=COMMAND, PYTHONPATH=path)
    wait_for(lambda: bought(film) == len(SHOTS) and fetches(slow) >= 2)
    assert isinstance(run.process, subprocess.Popen)
    pool = [child for child in psutil.Process(run.process.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    pool[0].kill()
    wait_for(lambda: fetches(slow) >= 5)
    pool = psutil.Process(run.process.pid).children(recursive=True)
    run.signal(signal.SIGINT)

    assert run.result(20).code == 130
    assert psutil.wait_procs(pool, 20)[1] == []
    assert finished(film.run())
    is_whole(film, slow)


def test_a_rehearsal_takes_workers_on_this_machine_only(film: Film, cluster: Cluster) -> None:
    """Its key is none, so its workers need none, and send none."""
    cluster.worker(VEOPIPE_API_KEY="").until_it_says("Registered to:")
    film.list({"shot": "a cat"})
    near = film.run("--simulate", "--executor", cluster.executor)
    far = film.run("--simulate", "--executor", "dask+tls://scheduler.example:8786")

    assert near.statuses == {"shot": "verified"}
    assert far.code == 2
    assert "rehearsal" in far.document["error"]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("dask", "names no scheduler"),
        ("dask+tls://host", "tls://HOST:PORT"),
        ("dask+tls://me:secret@host:8786", "no user before the host"),
        ("dask+tls://scheduler.example:8786", "on this machine, where workers elsewhere can't reach it"),
    ],
)
def test_an_executor_that_can_be_none_is_wrong_usage(
    written: str, said: str, film: Film, posts: Callable[[], int]
) -> None:
    film.list(SHOTS)
    result = film.run("--executor", written)

    assert result.code == 2
    assert said in result.document["error"]
    assert "secret" not in result.out + result.err
    assert posts() == 0


def test_tls_needs_nothing_of_ours_but_the_engines_own_certificates(
    film: Film, gateway: Simulator, tmp_path: Path
) -> None:
    secure = certificates(tmp_path / "tls")
    with Cluster(tmp_path / "cluster", scheme="tls", environment=secure) as cluster:
        cluster.workers(1)
        film.list(SHOTS)
        words = film.arguments("--executor", cluster.executor)
        without = film.start(*words, first=hurried("run.carrying.engine.CONNECT_WAIT=2")).result()
        assert without.code == 6
        assert len(gateway.ledger) == 0
        result = film.start(*words, **secure).result()
    assert finished(result), result
    assert "dask+tcp" not in result.err
    is_whole(film, gateway)


def certificates(folder: Path) -> dict[str, str]:
    """An authority made now, one certificate for all, and the variables that name them."""
    folder.mkdir()

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    new = ("-newkey", "rsa:2048", "-nodes", "-subj")
    openssl("req", "-x509", *new, "/CN=authority", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *new, "/CN=tests", "-keyout", "key.pem", "-out", "request.pem")
    openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2", "-out", "cert.pem")
    tls = "DASK_DISTRIBUTED__COMM__TLS__"
    sides = {
        f"{tls}{side}__{what}": str(folder / f"{file}.pem")
        for side in ("SCHEDULER", "WORKER", "CLIENT")
        for what, file in (("CERT", "cert"), ("KEY", "key"))
    }
    return {f"{tls}CA_FILE": str(folder / "ca.pem"), "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true", **sides}
