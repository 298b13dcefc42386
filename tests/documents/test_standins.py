"""Stand-ins: what lies in the place of a file is called what it is, and a real file is never taken for one."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest

from veopipe.documents import standins
from veopipe.documents.standins import StandIn

SHA = hashlib.sha256(b"the film").hexdigest()
LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA}\nsize 8\n".encode()


def found(path: Path) -> StandIn:
    there = standins.of(path)
    assert there is not None
    return there


@pytest.mark.parametrize(
    "text",
    [
        LFS,
        LFS.replace(b"\n", b"\r\n"),
        LFS.replace(b"git-lfs.github.com", b"hawser.github.com"),
        LFS.replace(b"oid", b"ext-0-case sha256:" + b"0" * 64 + b"\noid"),
    ],
    ids=["today's", "with Windows line ends", "of old", "with an extension"],
)
def test_a_git_lfs_pointer_says_which_file_it_stands_for(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(text)
    there = found(tmp_path / "a.mp4")
    assert "Git LFS pointer" in str(there)
    assert "`git lfs pull`" in str(there)
    assert there.sha256 == SHA
    assert there.may_be(SHA)
    assert not there.may_be("0" * 64)


def test_a_pointer_that_was_cut_off_is_a_pointer_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(LFS[:70])
    assert found(tmp_path / "a.mp4").may_be(SHA)


def test_a_pointer_file_of_git_annex_says_which_file_it_stands_for(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text(f"/annex/objects/SHA256E-s8--{SHA}.mp4\n")
    assert found(tmp_path / "a.mp4").sha256 == SHA
    (tmp_path / "a.mp4").write_text("/annex/objects/MD5E-s8--d41d8cd98f00b204e9800998ecf8427e.mp4\n")
    assert "`git annex get`" in str(found(tmp_path / "a.mp4"))
    assert found(tmp_path / "a.mp4").sha256 is None


def test_a_link_of_git_annex_stands_for_its_file_only_while_that_is_missing(tmp_path: Path) -> None:
    key = f"SHA256E-s8--{SHA}.mp4"
    link, objects = tmp_path / "a.mp4", tmp_path / ".git/annex/objects/Xx/0y" / key
    link.symlink_to(f".git/annex/objects/Xx/0y/{key}/{key}")
    assert found(link).what == "a git-annex link"
    assert found(link).sha256 == SHA
    assert found(link.parent / ".git/annex/objects/Xx/0y" / key / key).sha256 == SHA
    objects.mkdir(parents=True)
    (objects / key).write_bytes(b"the film")
    assert standins.of(link) is None


def test_a_file_that_dvc_keeps_is_known_by_the_file_beside_it_or_beside_its_folder(tmp_path: Path) -> None:
    film = tmp_path / "renders/shots/a.mp4"
    assert standins.of(film) is None
    (tmp_path / "renders.dvc").write_text("outs:\n- md5: 00\n  path: renders\n")
    assert "`dvc pull`" in str(found(film))
    film.parent.mkdir(parents=True)
    assert standins.of(film) is None
    (film.parent / "a.mp4.dvc").write_text("outs:\n- md5: 00\n  path: a.mp4\n")
    assert "`dvc pull`" in str(found(film))
    film.write_bytes(b"the film")
    assert standins.of(film) is None


def test_an_icloud_placeholder_stands_for_its_file(tmp_path: Path) -> None:
    (tmp_path / ".a.mp4.icloud").write_bytes(b"bplist00")
    assert "iCloud" in str(found(tmp_path / "a.mp4"))


def test_a_link_to_a_disk_that_is_gone_names_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "renders").symlink_to(tmp_path / "Volumes/Film")
    assert f"{tmp_path}/Volumes/Film" in str(found(tmp_path / "renders/shots/takes/a.001.mp4"))
    (tmp_path / "Volumes/Film").mkdir(parents=True)
    assert standins.of(tmp_path / "renders/shots/takes/a.001.mp4") is None


def test_a_link_to_itself_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").symlink_to("a.mp4")
    assert "a.mp4" in str(found(tmp_path / "a.mp4"))


def test_files_folders_and_nothing_at_all_are_no_stand_ins(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("short", b"ftyp"), ("long", LFS + b" " * 2000), ("text", b"a version")):
        (tmp_path / name).write_bytes(content)
        assert standins.of(tmp_path / name) is None
    (tmp_path / "folder").mkdir()
    assert standins.of(tmp_path / "folder") is None
    assert standins.of(tmp_path / "nothing") is None
    assert standins.of(tmp_path / "empty/below") is None
    assert standins.of(tmp_path / "no\0name") is None


def test_a_file_without_blocks_is_a_placeholder(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert standins.without_blocks(tmp_path / "a.mp4") is None
    with (tmp_path / "a.mp4").open("wb") as file:
        file.truncate(100_000)
    assert "placeholder" in str(standins.without_blocks(tmp_path / "a.mp4"))
    (tmp_path / "a.mp4").write_bytes(b"x" * 100_000)
    assert (tmp_path / "a.mp4").stat().st_blocks == 0 or standins.without_blocks(tmp_path / "a.mp4") is None
    assert standins.without_blocks(tmp_path / "nothing") is None


@pytest.mark.parametrize("number", [errno.EDEADLK, errno.EIO, errno.ETIMEDOUT])
def test_a_file_that_a_sync_service_cannot_bring_now_may_be_brought_another_time(number: int) -> None:
    assert "can't be read now" in str(standins.of_error(OSError(number, "")))
