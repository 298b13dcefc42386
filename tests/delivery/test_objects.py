"""A prefix of a real store: conditions, checks, and what is said when it doesn't do what it is asked."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.harness.film import AUTHORITY
from tests.harness.store import SECRET, Proxy, Store, environment_of, times
from veopipe.delivery.buckets import objects
from veopipe.delivery.buckets.objects import NEW, Left, Missing, Objects, Passing, Refused, Seen, StoreFault, Taken
from veopipe.errors import EnvironmentFault

pytestmark = pytest.mark.engine


@pytest.fixture
def there(proxy: Proxy, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Objects]:
    for name, value in proxy.environment.items():
        monkeypatch.setenv(name, value)
    yield Objects(prefix)
    assert not objects.are_under_way()


def test_what_is_put_is_listed_looked_at_and_read(there: Objects, tmp_path: Path) -> None:
    (tmp_path / "video").write_bytes(b"x" * 5000)
    etag = there.put("takes/ü 1#.mp4", tmp_path / "video", NEW, {"Content-Type": "video/mp4", "veopipe": "{}"})

    listed = there.list()["takes/ü 1#.mp4"]
    looked = there.look("takes/ü 1#.mp4")
    content, seen = there.read("takes/ü 1#.mp4", 5000)

    assert isinstance(listed, Seen)
    assert (listed.size, listed.etag) == (5000, etag)
    assert looked is not None
    assert looked[1] == {"Content-Type": "video/mp4", "veopipe": "{}"}
    assert (content, seen.etag) == (b"x" * 5000, etag)
    there.fetch("takes/ü 1#.mp4", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"x" * 5000


def test_a_copy_has_content_and_metadata(there: Objects) -> None:
    there.put("a", b"one", about={"veopipe": "1"})
    there.put("b", b"two", about={"veopipe": "2"})
    there.copy("a", "b")

    assert there.read("b", 9)[0] == b"one"
    assert (there.look("b") or (None, {}))[1]["veopipe"] == "1"


def test_of_many_who_create_one_name_one_wins(there: Objects) -> None:
    def create(number: int) -> bool:
        try:
            there.put("lock", str(number).encode(), NEW)
        except Taken:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(create, range(16))) == 1


def test_of_many_who_replace_what_they_saw_one_wins(there: Objects) -> None:
    etag = there.put("guard", b"0")

    def replace(number: int) -> bool:
        try:
            there.put("guard", str(number).encode(), etag)
        except Taken:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(replace, range(1, 17))) == 1
    with pytest.raises(Taken):
        there.put("guard", b"late", etag)


def test_what_is_not_there_is_missing(there: Objects, tmp_path: Path) -> None:
    assert there.look("no") is None
    assert there.list() == {}
    with pytest.raises(Missing):
        there.read("no", 9)
    with pytest.raises(Missing):
        there.copy("no", "other")
    with pytest.raises(Missing):
        there.fetch("no", tmp_path / "no")


def test_what_is_too_large_is_not_read(there: Objects) -> None:
    there.put("large", b"x" * 100)

    with pytest.raises(Refused, match="larger than 99 bytes"):
        there.read("large", 99)


def test_damage_on_the_way_is_refused_by_the_store(there: Objects, proxy: Proxy, tmp_path: Path) -> None:
    (tmp_path / "video").write_bytes(b"x" * 5000)
    proxy.trouble = times(1, "flip", "PUT", "video")

    with pytest.raises(StoreFault):
        there.put("video", tmp_path / "video", NEW)
    assert there.look("video") is None


@pytest.mark.parametrize(
    ("what", "kind"), [("cut", Passing), ("503", Passing), ("403", Refused), ("507", Refused), ("lost", Passing)]
)
def test_a_video_is_sent_once_a_call(there: Objects, proxy: Proxy, tmp_path: Path, what: str, kind: type) -> None:
    (tmp_path / "video").write_bytes(b"x" * 5000)
    proxy.trouble = times(9, what, "PUT", "video")

    with pytest.raises(kind) as raised:
        there.put("video", tmp_path / "video", NEW)

    assert sum(method == "PUT" for method, _ in proxy.asked) == 1
    assert SECRET not in str(raised.value)
    assert (there.look("video") is not None) == (what == "lost")


@pytest.mark.parametrize("what", ["503", "lost"])
def test_small_calls_are_repeated_while_their_trouble_may_pass(there: Objects, proxy: Proxy, what: str) -> None:
    there.put("a", b"one")
    proxy.trouble = times(2, what, "GET", "")

    assert there.read("a", 9)[0] == b"one"


def test_a_refusal_is_not_asked_twice(there: Objects, proxy: Proxy) -> None:
    proxy.trouble = times(9, "403", "GET", "")

    with pytest.raises(Refused, match="HTTP 403 AccessDenied: not today"):
        there.list()
    assert len(proxy.asked) == 1


def test_a_store_that_is_slow_is_given_up(there: Objects, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "ANSWER_WAIT", 1.0)
    hurried = Objects(there.url)
    proxy.trouble = times(1, "slow=3", "GET", "")

    with pytest.raises(Passing, match="it took too long"):
        hurried.list()


@pytest.mark.parametrize("what", ["slow=9", "503"])
def test_who_waits_for_a_closed_store_can_leave(there: Objects, proxy: Proxy, what: str) -> None:
    proxy.trouble = times(9, what, "HEAD", "")
    with ThreadPoolExecutor(1) as threads:
        waits = threads.submit(there.look, "a")
        while not proxy.asked:
            time.sleep(0.01)
        began = time.monotonic()
        there.close()
        with pytest.raises(Left):
            waits.result()
    assert time.monotonic() - began < 5
    with pytest.raises(Left):
        there.put("a", b"late")
    assert sum(method == "PUT" for method, _ in proxy.asked) == 0
    while objects.are_under_way():  # the call goes on by itself
        time.sleep(0.05)


def test_a_file_is_not_read_into_memory(store: Store, prefix: str, tmp_path: Path) -> None:
    """The memory that is the process's own hardly grows by four files of 40 MB."""
    program = """
import sys, threading, pathlib
from veopipe.delivery.buckets.objects import NEW, Objects
def own():
    return sum(int(line.split()[1]) for line in open("/proc/self/smaps_rollup") if line.startswith("Private_Dirty"))
there = Objects(sys.argv[1])
there.list()
before, most = own(), 0
threads = [threading.Thread(target=there.put, args=(str(n), pathlib.Path(sys.argv[2]), NEW)) for n in range(4)]
[thread.start() for thread in threads]
while any(thread.is_alive() for thread in threads):
    most = max(most, own())
    threads[0].join(0.01)
assert len(there.list()) == 4
print((most - before) // 1024)
"""
    with open(tmp_path / "video", "wb") as file:
        file.write(os.urandom(40 << 20))
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("this system doesn't say what memory is a process's own")
    done = _python(store, program, prefix, str(tmp_path / "video"))

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 60, "MiB"


def test_short_programs_end_with_their_own_code(store: Store, prefix: str) -> None:
    program = """
import sys, threading
from veopipe.delivery.buckets.objects import Objects
there = Objects(sys.argv[1])
thread = threading.Thread(target=there.put, args=(sys.argv[2], b"x" * 9))
thread.start(); thread.join()
there.list()
sys.exit(3)
"""
    codes = [_python(store, program, prefix, str(number)).returncode for number in range(10)]

    assert codes == [3] * 10


def test_a_program_ends_without_the_answer_of_a_store_that_it_closed(store: Store, prefix: str, proxy: Proxy) -> None:
    """Threads of a pool are joined at the end, so none of them may wait."""
    program = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from veopipe.delivery.buckets.objects import Objects, are_under_way
there = Objects(sys.argv[1])
ThreadPoolExecutor(1).submit(there.put, "late", b"x" * 9)
while not are_under_way():
    time.sleep(0.01)
time.sleep(0.5)
there.close()
sys.exit(3)
"""
    proxy.trouble = times(1, "slow=15", "PUT", "late")
    began = time.monotonic()
    done = _python(Store(proxy.endpoint), program, prefix)

    assert done.returncode == 3, done.stderr
    assert time.monotonic() - began < 12


def _python(store: Store, program: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **environment_of(store.endpoint), "SSL_CERT_FILE": AUTHORITY}
    return subprocess.run(
        [sys.executable, "-c", program, *words], env=environment, capture_output=True, text=True, timeout=100
    )


def test_a_profile_needs_boto3(there: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_PROFILE", "film")
    monkeypatch.setitem(sys.modules, "obstore.auth.boto3", None)  # as where it isn't installed

    with pytest.raises(EnvironmentFault, match="profiles aren't read without boto3"):
        Objects(there.url)


def test_without_the_extra_there_is_a_command_that_brings_it(there: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)  # as where it isn't installed

    with pytest.raises(EnvironmentFault, match="obstore isn't installed") as raised:
        Objects(there.url)
    assert raised.value.hint == "pip install 'veopipe[s3]'"
