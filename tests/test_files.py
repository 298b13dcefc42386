"""Durable files: old or new and nothing between, nothing planted overwritten, everything synced in its order."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from veopipe import files
from veopipe.documents import schema
from veopipe.ledger.prefixes import fault, is_prefix

DRIVER = """
import errno, json, os, sys
from pathlib import Path
from veopipe import crashpoints, files

folder, failing, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
taken = []

def listen(step, subject):
    taken.append([step, os.path.relpath(subject, folder) if subject else ""])
    if step == failing:
        raise OSError(number, os.strerror(number))

crashpoints.listen(listen)
try:
    exec(sys.argv[4])
except OSError as error:
    print(json.dumps([taken, errno.errorcode[error.errno]]))
else:
    print(json.dumps([taken, None]))
"""


def watched(
    folder: Path, code: str, failing: str = "", number: int = errno.ENOSPC
) -> tuple[list[tuple[str, str]], str]:
    """The steps that `code` took in a process of its own, one of them failing if asked for, and the error's name."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(folder), failing, str(number), code],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    taken, error = json.loads(done.stdout)
    return [(step, ".new-…" if ".new-" in subject else subject) for step, subject in taken], error


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- replace ---------------------------------------------------------------------------------------

REPLACE = "files.replace(folder / 'x.json', b'new')"


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    files.replace(tmp_path / "x.json", b"old")
    files.replace(tmp_path / "x.json", b"new")

    assert (tmp_path / "x.json").read_bytes() == b"new"
    assert names(tmp_path) == ["x.json"]


def test_content_is_synced_before_the_rename_and_the_folder_after_it(tmp_path: Path) -> None:
    steps, error = watched(tmp_path, REPLACE)

    assert error is None
    assert steps == [
        ("open", ".new-…"),
        ("write", ".new-…"),
        ("fsync", ".new-…"),
        ("rename", "x.json"),
        ("fsync-folder", "."),
    ]


@pytest.mark.parametrize("failing", ["open", "write", "fsync", "rename"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES], ids=errno.errorcode.get)
def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path: Path, failing: str, number: int) -> None:
    (tmp_path / "x.json").write_bytes(b"old")

    steps, error = watched(tmp_path, REPLACE, failing, number)

    assert error == errno.errorcode[number]
    assert (tmp_path / "x.json").read_bytes() == b"old"
    assert names(tmp_path) == ["x.json"]
    assert [step for step, _ in steps].count(failing) == 1  # a failed fsync is never tried again


def test_a_folder_that_cannot_be_synced_is_a_failure(tmp_path: Path) -> None:
    assert watched(tmp_path, REPLACE, "fsync-folder", errno.EIO)[1] == "EIO"


USED_UP = """
def use_up(step, subject):
    if step == "rename":  # other threads open the last ones
        try:
            while True:
                os.dup(0)
        except OSError:
            pass

crashpoints.listen(use_up)
"""


def test_what_is_renamed_can_be_synced_however_many_files_are_open_by_then(tmp_path: Path) -> None:
    """Else a record that was called not written would stand there, and a create that was never sent be in doubt."""
    assert watched(tmp_path, USED_UP + REPLACE)[1] is None
    assert (tmp_path / "x.json").read_bytes() == b"new"


def test_a_planted_link_at_the_name_is_replaced_and_its_target_kept(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "x.json").symlink_to("victim")

    files.replace(tmp_path / "x.json", b"new")

    assert (tmp_path / "victim").read_text() == "mine"
    assert not (tmp_path / "x.json").is_symlink()


def test_another_name_of_the_old_file_keeps_the_old_content(tmp_path: Path) -> None:
    files.replace(tmp_path / "x.json", b"old")
    os.link(tmp_path / "x.json", tmp_path / "other")

    files.replace(tmp_path / "x.json", b"new")

    assert (tmp_path / "other").read_bytes() == b"old"


def test_a_reader_sees_old_or_new_and_never_a_piece(tmp_path: Path) -> None:
    path, contents = tmp_path / "x", [b"a" * 50_000, b"b" * 70_000]
    files.replace(path, contents[0])
    writer = threading.Thread(target=lambda: [files.replace(path, contents[n % 2]) for n in range(100)])
    writer.start()
    seen = set()
    while writer.is_alive():
        seen.add(path.read_bytes())
    writer.join()

    assert seen <= set(contents)


# --- exclusive creation ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "folder"])
def test_nothing_planted_at_a_new_name_is_opened(tmp_path: Path, kind: str) -> None:
    path, victim = tmp_path / "x.part", tmp_path / "victim"
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
    else:
        if kind == "link":
            victim.write_text("mine")
        path.symlink_to(victim)

    with pytest.raises(FileExistsError):
        files.create_exclusively(path)

    assert victim.exists() is (kind == "link")


def test_what_the_system_takes_in_pieces_is_written_whole() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, True)
    content, received = os.urandom(300_000), []

    def read() -> None:
        while piece := os.read(reading, 4096):
            received.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    files.write_all(writing, content)
    os.close(writing)
    reader.join()
    os.close(reading)

    assert b"".join(received) == content


# --- folders ---------------------------------------------------------------------------------------


def test_each_new_folder_is_synced_into_the_one_above(tmp_path: Path) -> None:
    steps, _ = watched(tmp_path, "files.make_folder(folder / 'a/b', 0o700)")

    assert steps == [("mkdir", "a"), ("fsync-folder", "."), ("mkdir", "a/b"), ("fsync-folder", "a")]
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o700
    assert watched(tmp_path, "files.make_folder(folder / 'a/b')")[0] == []


def test_a_file_in_a_folders_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")

    with pytest.raises(OSError, match="a"):
        files.make_folder(tmp_path / "a" / "b")


# --- rename ----------------------------------------------------------------------------------------


def test_a_rename_into_another_folder_syncs_both(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "x").write_text("x")

    steps, _ = watched(tmp_path, "files.rename(folder / 'x', folder / 'sub/y')")

    assert steps == [("rename", "sub/y"), ("fsync-folder", "sub"), ("fsync-folder", ".")]
    assert (tmp_path / "sub/y").read_text() == "x"


# --- publish ---------------------------------------------------------------------------------------

PUBLISH = "files.publish(folder / 'take.mp4', folder / 'out.mp4')"


@pytest.fixture
def take(tmp_path: Path) -> Path:
    (tmp_path / "take.mp4").write_bytes(b"new take")
    (tmp_path / "take.mp4").chmod(0o444)
    return tmp_path / "take.mp4"


def test_a_published_name_is_the_same_file(tmp_path: Path, take: Path) -> None:
    files.publish(take, tmp_path / "out.mp4")

    assert (tmp_path / "out.mp4").samefile(take)
    assert names(tmp_path) == ["out.mp4", "take.mp4"]


def test_a_published_name_is_renamed_into_place_and_synced(tmp_path: Path, take: Path) -> None:
    steps, _ = watched(tmp_path, PUBLISH)

    assert steps == [("link", "out.mp4"), ("rename", "out.mp4"), ("fsync-folder", ".")]


def test_an_older_file_keeps_its_content_under_its_own_name(tmp_path: Path, take: Path) -> None:
    (tmp_path / "take-1.mp4").write_bytes(b"old take")
    files.publish(tmp_path / "take-1.mp4", tmp_path / "out.mp4")

    files.publish(take, tmp_path / "out.mp4")

    assert (tmp_path / "take-1.mp4").read_bytes() == b"old take"
    assert (tmp_path / "out.mp4").read_bytes() == b"new take"


def test_publishing_the_same_file_again_does_nothing(tmp_path: Path, take: Path) -> None:
    files.publish(take, tmp_path / "out.mp4")

    assert watched(tmp_path, PUBLISH) == ([], None)
    assert names(tmp_path) == ["out.mp4", "take.mp4"]


def test_publishing_in_a_race_with_oneself_leaves_no_temporary_name(tmp_path: Path, take: Path) -> None:
    """`os.replace` between two links of one file does nothing: the temporary name must go all the same."""
    code = (
        """
def race(step, subject):
    if step == "rename" and not os.path.exists(folder / "out.mp4"):
        os.link(folder / "take.mp4", folder / "out.mp4")
crashpoints.listen(race)
"""
        + PUBLISH
    )

    assert watched(tmp_path, code)[1] is None
    assert names(tmp_path) == ["out.mp4", "take.mp4"]


@pytest.mark.parametrize("failing", ["link", "rename"])
def test_a_failed_publication_leaves_the_name_as_it_was(tmp_path: Path, take: Path, failing: str) -> None:
    (tmp_path / "out.mp4").write_bytes(b"old")

    assert watched(tmp_path, PUBLISH, failing)[1] == "ENOSPC"

    assert (tmp_path / "out.mp4").read_bytes() == b"old"
    assert names(tmp_path) == ["out.mp4", "take.mp4"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP], ids=errno.errorcode.get)
def test_where_links_are_not_possible_a_synced_copy_is_published(tmp_path: Path, take: Path, number: int) -> None:
    steps, error = watched(tmp_path, PUBLISH, "link", number)

    assert error is None
    assert [step for step, _ in steps] == ["link", "open", "fsync", "rename", "fsync-folder"]
    assert (tmp_path / "out.mp4").read_bytes() == b"new take"
    assert not (tmp_path / "out.mp4").samefile(take)
    assert (tmp_path / "out.mp4").stat().st_mode & 0o222 == 0
    assert names(tmp_path) == ["out.mp4", "take.mp4"]


def test_a_take_on_another_file_system_is_copied(tmp_path: Path, take: Path) -> None:
    far = Path("/dev/shm")
    if not far.is_dir() or far.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    target = far / f"veopipe-test-{os.getpid()}.mp4"
    try:
        files.publish(take, target)
        assert target.read_bytes() == b"new take"
        assert target.stat().st_dev != take.stat().st_dev
    finally:
        target.unlink(missing_ok=True)


def test_a_planted_link_at_the_finished_name_is_replaced_and_its_target_kept(tmp_path: Path, take: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "out.mp4").symlink_to("victim")

    files.publish(take, tmp_path / "out.mp4")

    assert (tmp_path / "victim").read_text() == "mine"
    assert (tmp_path / "out.mp4").samefile(take)


def test_a_missing_take_publishes_nothing(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_bytes(b"old")

    with pytest.raises(FileNotFoundError):
        files.publish(tmp_path / "none.mp4", tmp_path / "out.mp4")

    assert names(tmp_path) == ["out.mp4"]


# --- reading ---------------------------------------------------------------------------------------


def test_a_link_is_not_the_file_it_points_at(tmp_path: Path, take: Path) -> None:
    (tmp_path / "link").symlink_to(take)

    assert not files.is_same_file(take, tmp_path / "link")
    assert files.is_same_file(take, take)
    assert not files.is_same_file(take, tmp_path / "none")


def test_a_hash_is_that_of_the_content(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "x").write_bytes(content)

    assert files.sha256_of(tmp_path / "x") == files.sha256_of_bytes(content) == hashlib.sha256(content).hexdigest()


def test_reading_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")

    assert files.read_bounded(tmp_path / "x", 5) == b"12345"
    with pytest.raises(ValueError, match="larger than 4 bytes"):
        files.read_bounded(tmp_path / "x", 4)


def test_what_never_ends_or_never_answers_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(ValueError, match="not a regular file"):
            files.read_bounded(odd, 10)


CLAIM = """
import sys
from pathlib import Path
from veopipe import files
sys.stdin.readline()
print(files.claim(Path(sys.argv[1]), sys.argv[2].encode()))
"""


def test_of_many_that_claim_a_name_at_once_exactly_one_gets_it(tmp_path: Path) -> None:
    name = tmp_path / "name"
    claimers = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM, str(name), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(6)
    ]
    for claimer in claimers:
        assert claimer.stdin is not None
        claimer.stdin.write("\n")
        claimer.stdin.flush()
    said = [claimer.communicate(timeout=60)[0].strip() for claimer in claimers]

    assert sorted(said) == ["False"] * 5 + ["True"]
    assert name.read_text() == str(said.index("True"))
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


# --- paths as people write them

MEANT_ELSEWHERE = [
    *("s3://bucket/film", "S3://bucket", "gs://b", "az://c/d", "s3:/bucket", "s3:bucket", "s3:", "dask+tls://h:8786"),
    *("file:///tmp/film", "https://h/film", "user@host:film", "my_remote:film", " s3://bucket", "data:,x"),
    *("C:\\films", "C:/films", "C:", "c:films", "\\\\server\\share", "renders\\draft"),
    *("~", "~/films", "~ann/films", " ~/films"),
    *("$HOME/films", "${HOME}/films", "renders/$USER", "renders-$DATE", "$(date)", "%USERPROFILE%/films", "a/%TEMP%"),
]
FOLDERS = [
    *(".", "..", "../renders", "renders", "renders/draft", "My Films/draft 2", "renders.v2/..draft", "größe-映画"),
    *("renders/12:30", "Film: Part 1", "12:30", "A$AP/$5", "100% done", "-renders", "renders [draft]", "a*", "x~"),
    *("./s3://bucket", "./C:\\films", "./~", "./$HOME", "renders/~", ".veopipe", "renders ", "@home"),
]


@pytest.mark.parametrize("written", MEANT_ELSEWHERE)
def test_a_text_that_means_a_place_elsewhere_is_no_path(written: str) -> None:
    said = files.meant_elsewhere(written)
    assert said is not None
    assert "./ in front" in said


@pytest.mark.parametrize("written", FOLDERS)
def test_a_path_is_a_path_however_odd(written: str) -> None:
    assert files.meant_elsewhere(written) is None


def test_what_is_said_of_an_address_repeats_no_password() -> None:
    assert "secret" not in str(files.meant_elsewhere("s3://key:secret@bucket"))
    assert "secret" not in str(files.meant_elsewhere("secret@host:films"))


@pytest.mark.parametrize("key", ["output", "ledger"])
def test_editors_refuse_the_same_folders(key: str) -> None:
    stores = {written for written in MEANT_ELSEWHERE if key == "output" and is_prefix(written) and not fault(written)}
    for written in [*sorted({*MEANT_ELSEWHERE} - stores), "/films", " /films", "", " ", "a\x07b", "a\nb", "./a\0"]:
        assert schema.check("pipeline", {key: written}) != [], written
    for written in [*FOLDERS, *stores]:
        assert schema.check("pipeline", {key: written}) == [], written


@pytest.mark.parametrize("word", ["s3://b/x", "https://h/x", "file:/x", "C:\\x", "C:/x", "\\\\s\\x", "~/x", "$HOME/x"])
def test_a_word_of_the_command_line_that_is_no_path_is_known(word: str) -> None:
    assert files.is_no_path(word)


@pytest.mark.parametrize("word", ["plan:1.json", "/tmp/x", "../x", "~x", "a\\b.yaml", "$5.yaml", "s3:x", "./s3://x"])
def test_a_word_of_the_command_line_that_may_be_a_file_is_one(word: str) -> None:
    assert not files.is_no_path(word)
