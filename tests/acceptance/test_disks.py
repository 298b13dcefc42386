"""Disks that lack what they needn't have, ledgers that everybody may write, a working folder that is gone.

What is only a courtesy is done without; what keeps a take from being paid twice is never given up silently.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness.fork import refused
from tests.harness.stubborn import IMPOSSIBLE

if TYPE_CHECKING:
    from tests.harness.film import Film, Result
    from veopipe.simulator.server import Simulator

pytestmark = pytest.mark.slow  # many situations of one kind; each promise has faster tests

VEOPIPE = (sys.executable, "-m", "veopipe")
NOBODY = 65534
KEEPS_NONE = "lies on a disk that keeps no permissions"
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


def on(film: Film, calls: str, *words: str) -> Result:
    """A command whose system calls are refused."""
    result = film.start(*words, first=refused(calls)).result()
    if result.code == IMPOSSIBLE:
        pytest.skip(result.err)
    return result


def open_to_all(folder: Path) -> list[str]:
    """What everybody can write in `folder`, itself included."""
    found = [folder, *folder.rglob("*")]
    return [str(path) for path in found if path.lstat().st_mode & stat.S_IWOTH and not path.is_symlink()]


def open_all(folder: Path) -> None:
    """Let everybody write everything, as a clone made with a umask of 000 does."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)


# --- what a disk needn't have ------------------------------------------------------------------------

COURTESIES = [
    "chmod=EPERM",
    "chmod=EOPNOTSUPP",
    "chmod=EROFS",
    "chmod=OK",
    "link=EPERM",
    "link=EACCES",
    "link=EINVAL",
    "chmod=ENOSYS,link=ENOSYS,symlink=ENOSYS,utime=ENOSYS",
    "chmod=EINVAL,link=EOPNOTSUPP,symlink=EPERM,utime=EPERM",
]


@pytest.mark.parametrize("refused", COURTESIES)
def test_a_disk_without_modes_links_or_times_delivers_all_the_same(
    film: Film, gateway: Simulator, refused: str
) -> None:
    film.list({"shot": "a cat"})
    first = on(film, refused, *film.arguments())
    assert (first.code, first.statuses) == (0, {"shot": "verified"}), first
    assert film.finished("shot").is_file()
    again = on(film, refused, *film.arguments())
    shown = (
        "takes/shot.001.mp4" if "link" in refused and "utime" in refused else "shot.mp4"
    )  # nothing tells a copy then
    assert (again.code, again.shots["shot"]["file"]) == (0, f"renders/shots/{shown}"), again
    assert on(film, refused, "verify", "shots.yaml", "-p", "quick.yaml").code == 0
    assert len(gateway.charged) == 1
    assert not list(film.folder.rglob(".new-*"))


def test_a_rehearsal_and_all_that_writes_go_through_on_such_a_disk(film: Film) -> None:
    refused = "chmod=EPERM,link=EPERM,symlink=ENOSYS,utime=EPERM"
    assert on(film, refused, "init", "new").code == 0
    (film.folder / "shots.csv").write_text("id,prompt\nshot,a cat\n")
    assert on(film, refused, "import", "shots.csv", "-o", "shots.yaml").code == 0
    assert on(film, refused, *film.arguments("--simulate")).statuses == {"shot": "verified"}
    assert on(film, refused, "plan", "shots.yaml", "-o", "plan.json").code == 0
    assert on(film, refused, "report", "shots.yaml", "--simulate", "-o", "report.html").code == 0
    assert on(film, refused, "resolve", "shots.yaml", "--simulate").code == 0


def test_where_links_are_not_possible_a_finished_name_is_copied_once(film: Film) -> None:
    film.list({"shot": "a cat"})
    assert on(film, "link=EPERM", *film.arguments()).code == 0
    before = film.finished("shot").stat()
    logs = len(film.log())
    assert on(film, "link=EPERM", *film.arguments()).code == 0
    after = film.finished("shot").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert len(film.log()) == logs  # there was nothing to do
    os.utime(film.finished("shot"))  # as after a copy that keeps no times: now it is read
    assert on(film, "link=EPERM", *film.arguments()).code == 0
    assert film.finished("shot").stat().st_ino == after.st_ino


@pytest.mark.parametrize("answer", ["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
def test_a_disk_without_locks_is_refused_before_anything_is_sent(film: Film, gateway: Simulator, answer: str) -> None:
    film.list({"shot": "a cat"})
    result = on(film, f"flock={answer}", *film.arguments())
    assert result.code == 6
    assert "can't be locked" in result.document["error"]
    assert "keep the list on another disk" in result.document["hint"]
    assert gateway.wire == []
    for words in (["run", "shots.yaml", "--simulate"], ["verify", "shots.yaml"]):
        assert on(film, f"flock={answer}", *words).code == 6


def test_a_disk_that_cannot_sync_a_file_is_refused_before_anything_is_sent(film: Film, gateway: Simulator) -> None:
    film.list({"shot": "a cat"})
    result = on(film, "fsync=EIO", *film.arguments())
    assert (result.code, gateway.charged) == (6, [])
    assert "can't be" in result.document["error"]


# --- who may write -----------------------------------------------------------------------------------


@pytest.mark.parametrize("refused", ["chmod=OK", "chmod=EPERM", "chmod=EOPNOTSUPP"])
def test_a_disk_that_keeps_no_permissions_is_named_once_and_used(film: Film, gateway: Simulator, refused: str) -> None:
    film.list({"shot": "a cat"})
    for name in ("shots", "shots.simulated"):
        (film.folder / ".veopipe" / name / "state").mkdir(parents=True)
    open_all(film.folder / ".veopipe")
    for words in (film.arguments("--simulate"), film.arguments(), film.arguments()):
        result = on(film, refused, *words)
        assert (result.code, result.statuses) == (0, {"shot": "verified"}), result
        assert result.err.count(KEEPS_NONE) == 1
    verified = on(film, refused, "verify", "shots.yaml", "-p", "quick.yaml", "--format", "json")
    assert (verified.code, verified.document["exit_code"]) == (0, 0)
    assert verified.err.count(KEEPS_NONE) == 1
    assert len(gateway.charged) == 1


@pytest.fixture
def loose_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk on which everything is 0777 and another user's, as a share mounted by root is."""
    if os.geteuid() or not shutil.which("bindfs"):
        pytest.skip("needs root and bindfs")
    below, disk = tmp_path / "below", tmp_path / "disk"
    below.mkdir()
    disk.mkdir()
    options = ["--chmod-ignore", "--chown-ignore", "-p", "a=rwX", "-u", str(NOBODY)]
    mounted = subprocess.run(["bindfs", *options, str(below), str(disk)], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_share_on_which_everything_is_another_users_and_open_is_used(
    film: Film, gateway: Simulator, loose_disk: Path
) -> None:
    film.folder = loose_disk
    film.pipeline()
    film.list({"shot": "a cat"})
    for _ in range(2):
        result = film.run()
        assert (result.code, result.err.count(KEEPS_NONE)) == (0, 1), result
    assert len(gateway.charged) == 1
    assert loose_disk.stat().st_uid == NOBODY


@pytest.mark.parametrize("opened", ["", "state", "state/shot.json", "ledger.json", "rescue"])
def test_a_ledger_of_ours_that_everybody_could_write_is_closed(film: Film, gateway: Simulator, opened: str) -> None:
    film.list({"shot": "a cat"})
    assert film.run().code == 0
    ledger = film.folder / ".veopipe/shots"
    (ledger / opened).chmod(0o777)
    result = film.run()
    assert result.code == 0
    assert "could be changed by everybody" in result.err
    assert open_to_all(ledger) == []
    assert "everybody" not in film.run().err
    assert len(gateway.charged) == 1


def test_a_clone_made_with_a_umask_of_000_runs_at_once(film: Film, gateway: Simulator) -> None:
    film.list({"shot": "a cat"})
    assert film.run().code == 0
    script = """git init -q . && git add -A . && git -c user.name=a -c user.email=a@b commit -qm x
    umask 000 && git clone -q . ../clone"""
    subprocess.run(["sh", "-ec", script], cwd=film.folder, check=True)
    film.folder = film.folder.parent / "clone"
    ledger = film.folder / ".veopipe"
    assert len(open_to_all(ledger / "shots")) >= 4
    result = film.run()
    assert (result.code, result.statuses) == (0, {"shot": "verified"}), result
    assert open_to_all(ledger / "shots") == []
    assert not ledger.stat().st_mode & stat.S_IWOTH
    assert len(gateway.charged) == 1


@only_root
@pytest.mark.parametrize("foreign", ["", "state", "state/shot.json"])
def test_an_open_ledger_with_something_of_another_user_is_refused_with_one_hint(
    film: Film, gateway: Simulator, foreign: str
) -> None:
    film.list({"shot": "a cat"})
    assert film.run().code == 0
    asked = len(gateway.wire)
    ledger = film.folder / ".veopipe/shots"
    open_all(ledger)
    os.chown(ledger / foreign, NOBODY, NOBODY)
    refused = film.run()
    assert refused.code == 6
    assert "proves nothing about what was paid" in refused.document["error"]
    assert len(gateway.wire) == asked
    subprocess.run(shlex.split(refused.document["hint"].partition(": ")[2]), check=True)
    assert open_to_all(ledger) == []
    assert film.run().code == 0
    assert len(gateway.charged) == 1


@only_root
def test_what_another_user_put_into_an_open_folder_of_ours_is_not_believed(film: Film, gateway: Simulator) -> None:
    film.list({"shot": "a cat"})
    state = film.folder / ".veopipe/shots/state"
    state.mkdir(parents=True)
    state.chmod(0o777)
    (state / "shot.json").write_text("{}")
    os.chown(state / "shot.json", NOBODY, NOBODY)
    refused = film.run()
    assert (refused.code, gateway.wire) == (6, [])
    assert "shot.json belongs to" in refused.document["error"]


def test_a_folder_with_the_sticky_bit_is_left_as_it_is(film: Film) -> None:
    film.list({"shot": "a cat"})
    ledger = film.folder / ".veopipe/shots"
    ledger.mkdir(parents=True)
    ledger.chmod(0o1777)
    result = film.run()
    assert (result.code, "everybody" in result.err) == (0, False)
    assert ledger.stat().st_mode & 0o7777 == 0o1777


# --- a working folder that is gone -------------------------------------------------------------------

GONE = "mkdir gone && cd gone && rmdir ../gone && exec"
HERE = [
    ["init"],
    ["validate", "shots.yaml"],
    ["plan", "shots.yaml"],
    ["run", "shots.yaml", "--simulate"],
    ["status", "shots.yaml"],
    ["verify", "shots.yaml"],
    ["resolve", "shots.yaml"],
    ["resolve", "shots.yaml", "shot", "--not-charged"],
    ["report", "shots.yaml"],
    ["report", "shots.yaml", "-o", "report.html"],
    ["import", "shots.csv", "-o", "shots.yaml"],
    ["simulate", "--port", "0", "--folder", "book"],
    ["doctor"],
]
SPEAKS_JSON = {"validate", "plan", "run", "status", "verify", "resolve", "report", "doctor"}


def in_a_gone_folder(film: Film, *words: str) -> Result:
    return film.start(*words, program=("sh", "-c", f'{GONE} "$@"', "sh", *VEOPIPE)).result()


@pytest.mark.parametrize("words", HERE, ids=" ".join)
def test_a_deleted_working_folder_is_said_by_every_command(film: Film, words: list[str]) -> None:
    film.list({"shot": "a cat"})
    result = in_a_gone_folder(film, *words)
    assert result.code in {2, 6}, result
    assert "the working folder is gone" in result.err
    if words[0] in SPEAKS_JSON:
        document = in_a_gone_folder(film, *words, "--format", "json").document
        assert document["exit_code"] in {2, 6}
        assert "the working folder is gone" in document["error"]


def test_a_tab_in_a_deleted_working_folder_says_nothing(film: Film) -> None:
    film.environment = {**film.environment, "_VEOPIPE_COMPLETE": "bash_complete", "COMP_CWORD": "4"}
    film.environment |= {"COMP_WORDS": "veopipe run shots.yaml -p "}
    command = (str(Path(sys.executable).with_name("veopipe")),)
    result = film.start(program=("sh", "-c", f'{GONE} "$@"', "sh", *command)).result()
    assert (result.code, result.err) == (0, "")


def test_what_needs_no_working_folder_works_without_one(film: Film) -> None:
    film.list({"shot": "a cat"})
    manifest, pipeline = str(film.folder / "shots.yaml"), str(film.folder / "quick.yaml")
    for words in (["schema", "manifest"], ["--help"], ["run", "--help"], ["completion", "bash"], ["--version"]):
        assert in_a_gone_folder(film, *words).code == 0
    assert in_a_gone_folder(film, *film.arguments(manifest=manifest)[:2], "-p", pipeline, "--simulate").code == 0
    for command in ("verify", "status", "report", "resolve"):
        assert in_a_gone_folder(film, command, manifest, "--simulate").code == 0


ENTER_AND_SHUT = """
import ctypes, os, sys
os.chdir(sys.argv[1])
os.chmod(".", int(os.environ.get("MODE", "0"), 8))
if os.geteuid() == 0:
    for capability in (1, 2):  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: from now on modes hold for root, too
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
os.execv(sys.argv[2], sys.argv[2:])
"""


def in_a_shut_folder(film: Film, *words: str) -> Result:
    shut = film.folder.parent / f"shut-{len(list(film.folder.parent.iterdir()))}"
    shut.mkdir()
    return film.start(*words, program=(sys.executable, "-c", ENTER_AND_SHUT, str(shut), *VEOPIPE)).result()


@pytest.mark.parametrize("words", [words for words in HERE if words != ["doctor"]], ids=" ".join)
def test_a_working_folder_that_may_not_be_entered_is_said_by_every_command(film: Film, words: list[str]) -> None:
    result = in_a_shut_folder(film, *words)
    assert result.code in {2, 6}, result
    assert "Permission denied" in result.err
    if words[0] in SPEAKS_JSON:
        assert in_a_shut_folder(film, *words, "--format", "json").document["exit_code"] == result.code


def test_a_list_elsewhere_is_used_from_a_folder_that_may_not_be_entered(film: Film) -> None:
    """What `sudo -u` does: it stays in the folder of the one who types it."""
    film.list({"shot": "a cat"})
    words = ["run", str(film.folder / "shots.yaml"), "-p", str(film.folder / "quick.yaml"), "--simulate"]
    assert in_a_shut_folder(film, *words).code == 0


def test_a_folder_that_may_be_written_and_not_listed_is_used_without_syncing_it(film: Film) -> None:
    """It can't be opened, so nobody can sync it: PostgreSQL goes on there, too."""
    film.environment = {**film.environment, "MODE": "0300"}
    film.list({"shot": "a cat"})
    program = (sys.executable, "-c", ENTER_AND_SHUT, str(film.folder), *VEOPIPE)
    result = film.start(*film.arguments("--simulate"), program=program).result()
    film.folder.chmod(0o755)
    assert (result.code, result.statuses) == (0, {"shot": "verified"}), result


def test_a_list_in_a_folder_that_may_not_be_entered_is_no_bug(film: Film) -> None:
    film.list({"shot": "a cat"})
    for words in (["status", "shots.yaml"], ["run", "shots.yaml", "-p", "quick.yaml"], ["plan", "shots.yaml"]):
        named = [str(film.folder / word) if word.endswith(".yaml") else word for word in words]
        film.folder.chmod(0)
        film.folder, folder = film.folder.parent, film.folder
        result = in_a_shut_folder(film, *named)
        film.folder = folder
        film.folder.chmod(0o755)
        assert (result.code, "Permission denied" in result.err) == (6, True), result
