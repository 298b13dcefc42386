"""Pictures: real files of every kind that a manifest can name."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import struct
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from veopipe import pictures, rules
from veopipe.pictures import PictureFacts, PictureFault, PictureUnreadable, inspect

FORMATS = [
    pytest.param("JPEG", "image/jpeg", id="jpeg"),
    pytest.param("PNG", "image/png", id="png"),
    pytest.param("WEBP", "image/webp", id="webp"),
]


def encoded(kind: str, size: tuple[int, int] = (320, 180), **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A manifest's folder, with a picture outside it."""
    (tmp_path / "outside.png").write_bytes(encoded("PNG"))
    inside = tmp_path / "project"
    inside.mkdir()
    return inside


def fault(written: str, folder: Path) -> PictureFault:
    found = inspect(written, folder, folder)
    assert isinstance(found, PictureFault), found
    assert written[:20] in found.message or not written.isprintable()
    return found


@pytest.mark.parametrize(("kind", "media_type"), FORMATS)
def test_a_picture_is_known_by_its_content_whatever_its_name(kind: str, media_type: str, folder: Path) -> None:
    content = encoded(kind)
    (folder / "picture.txt").write_bytes(content)

    found = inspect("picture.txt", folder, folder)

    assert found == PictureFacts(folder / "picture.txt", media_type, 320, 180, len(content))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(encoded("JPEG", progressive=True), id="progressive"),
        pytest.param(encoded("JPEG", exif=Image.Exif()), id="exif"),
        pytest.param(encoded("JPEG") + b"\0" * 500 + b"....ftypmp42 a motion photo", id="appended-video"),
        pytest.param(encoded("WEBP", lossless=True), id="lossless-webp"),
        pytest.param(encoded("WEBP") + b"tail", id="webp-with-tail"),
        pytest.param(encoded("PNG") + b"tail", id="png-with-tail"),
    ],
)
def test_unusual_but_whole_pictures_are_accepted(content: bytes, folder: Path) -> None:
    (folder / "a").write_bytes(content)

    assert isinstance(inspect("a", folder, folder), PictureFacts)


@pytest.mark.parametrize(("kind", "media_type"), FORMATS)
def test_a_picture_cut_anywhere_is_never_accepted(kind: str, media_type: str, folder: Path) -> None:
    content = encoded(kind, (64, 36))
    path = folder / "cut"
    for length in [*range(0, len(content) - 12, max(1, len(content) // 150)), len(content) - 5]:
        path.write_bytes(content[:length])
        found = inspect("cut", folder, folder)
        assert isinstance(found, PictureFault), length
        assert found.rule in {"picture-empty", "picture-format", "picture-damaged"}


def test_a_cut_jpeg_is_found_in_spite_of_its_whole_thumbnail(folder: Path) -> None:
    content = encoded("JPEG")
    thumbnail = encoded("JPEG", (32, 18))
    application = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    (folder / "whole.jpg").write_bytes(content[:2] + application + content[2:])
    (folder / "cut.jpg").write_bytes((content[:2] + application + content[2:])[:-400])

    assert isinstance(inspect("whole.jpg", folder, folder), PictureFacts)
    assert fault("cut.jpg", folder).rule == "picture-damaged"


def test_a_png_with_a_wrong_checksum_is_damaged(folder: Path) -> None:
    content = bytearray(encoded("PNG"))
    content[len(content) // 2] ^= 0x10
    (folder / "flipped.png").write_bytes(content)

    assert fault("flipped.png", folder).rule == "picture-damaged"


def exif_of(*, gps: bool = False, camera: bool = False, orientation: int | None = None) -> bytes:
    exif = Image.Exif()
    if gps:
        exif.get_ifd(0x8825).update({1: "N", 2: (54.0, 19.0, 0.0), 3: "E", 4: (13.0, 5.0, 0.0)})
    if camera:
        exif[0x010F] = "Maker"
    if orientation:
        exif[0x0112] = orientation
    return exif.tobytes()


def told(content: bytes, folder: Path) -> tuple[int, bool, bool]:
    (folder / "a").write_bytes(content)
    found = inspect("a", folder, folder)
    assert isinstance(found, PictureFacts)
    return found.orientation, found.has_location, found.has_metadata


@pytest.mark.parametrize(("kind", "media_type"), FORMATS)
def test_what_a_picture_tells_besides_is_noticed(kind: str, media_type: str, folder: Path) -> None:
    del media_type
    assert told(encoded(kind), folder) == (1, False, False)
    assert told(encoded(kind, exif=exif_of(gps=True)), folder) == (1, True, False)
    assert told(encoded(kind, exif=exif_of(camera=True)), folder) == (1, False, True)
    assert told(encoded(kind, exif=exif_of(orientation=6)), folder) == (6, False, False)
    assert told(encoded(kind, exif=exif_of(gps=True, camera=True, orientation=8)), folder) == (8, True, True)


@pytest.mark.parametrize(("kind", "media_type"), FORMATS)
def test_a_position_in_xmp_is_a_position_too(kind: str, media_type: str, folder: Path) -> None:
    del media_type

    def with_xmp(packet: bytes) -> bytes:
        if kind != "PNG":
            return encoded(kind, xmp=packet)
        texts = PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", packet.decode())
        return encoded(kind, pnginfo=texts)

    assert told(with_xmp(b"<x:xmpmeta>a camera</x:xmpmeta>"), folder) == (1, False, True)
    assert told(with_xmp(b'<x:xmpmeta exif:GPSLatitude="54,19.0N"/>'), folder) == (1, True, True)


def test_metadata_behind_a_pngs_picture_is_noticed(folder: Path) -> None:
    """Where some programs put it."""
    content = encoded("PNG")
    exif = png_chunk(b"eXIf", exif_of(gps=True).removeprefix(b"Exif\0\0"))
    assert told(content[:-12] + exif + content[-12:], folder) == (1, True, False)


def test_an_empty_position_and_other_texts_are_no_metadata(folder: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825)[0] = b"\2\3\0\0"  # the version alone, as cameras without GPS write it
    assert told(encoded("JPEG", exif=exif), folder) == (1, False, False)
    texts = PngInfo()
    texts.add_text("Software", "a renderer")
    assert told(encoded("PNG", pnginfo=texts), folder) == (1, False, False)


@pytest.mark.parametrize("order", ["<", ">"])
def test_damaged_metadata_is_no_damaged_picture(order: str, folder: Path) -> None:
    head = b"II*\0" if order == "<" else b"MM\0*"
    for block in (
        b"",
        head,
        head + struct.pack(order + "I", 0xFFFFFFFF),
        head + struct.pack(order + "IH", 8, 0xFFFF),
        head + struct.pack(order + "IHHHII", 8, 1, 0x8825, 4, 1, 8),
        head + struct.pack(order + "IHHHII", 8, 1, 0x0112, 3, 1, 0xFFFFFFFF),
    ):
        assert told(encoded("JPEG", exif=b"Exif\0\0" + block), folder)[:2] == (1, False)


def swollen(total: int) -> bytes:
    """A TIFF block whose entries all claim the same bytes, as many as fit."""
    count = min(65_000, total // 24)
    start = 14 + 12 * count
    entries = b"".join(struct.pack("<HHII", n + 1, 5, (total - start) // 8, start) for n in range(count))
    return b"II*\0" + struct.pack("<IH", 8, count) + entries + b"\0\0\0\0" + b"\1" * (total - start)


def with_segments(kind: int, prefix: bytes, data: bytes) -> bytes:
    """A JPEG without JFIF, with `data` in segments of that kind."""
    content = encoded("JPEG", (64, 36))
    pieces = [prefix + data[at : at + 65_000] for at in range(0, len(data), 65_000)]
    segments = b"".join(b"\xff" + struct.pack(">BH", kind, len(piece) + 2) + piece for piece in pieces)
    return content[:2] + segments + content[4 + int.from_bytes(content[4:6], "big") :]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(with_segments(0xE1, b"Exif\0\0", swollen(1_000_000)), id="Exif"),
        pytest.param(with_segments(0xE2, b"MPF\0", swollen(64_000)), id="index of pictures"),
    ],
)
def test_metadata_that_would_unfold_into_gigabytes_is_refused_at_once(content: bytes, folder: Path) -> None:
    (folder / "a.jpg").write_bytes(content)
    start = time.process_time()
    assert fault("a.jpg", folder).rule == "picture-damaged"
    assert time.process_time() - start < 2


def test_a_phones_index_of_pictures_is_accepted(folder: Path) -> None:
    pictures_in_one = io.BytesIO()
    first, second = (Image.new("RGB", (320, 180)) for _ in range(2))
    first.save(pictures_in_one, "MPO", save_all=True, append_images=[second])
    assert told(pictures_in_one.getvalue(), folder) == (1, False, False)


@pytest.mark.parametrize(
    ("content", "rule", "said"),
    [
        pytest.param(b"", "picture-empty", "empty", id="empty"),
        pytest.param(b"GIF89a" + b"\0" * 90, "picture-format", "a GIF", id="gif"),
        pytest.param(b"<!doctype html>", "picture-format", "HTML", id="html"),
        pytest.param(b"\0\0\0\x20ftypheic" + b"\0" * 30, "picture-format", "HEIC", id="heic"),
        pytest.param(b"\0" * 5000, "picture-format", "not a JPEG, PNG or WebP", id="zeros"),
        pytest.param(
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
            "picture-lfs-pointer",
            "git lfs pull",
            id="lfs",
        ),
        pytest.param(
            png_header(60000, 60000) + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b""),
            "picture-too-large",
            "million pixels",
            id="bomb",
        ),
        pytest.param(
            png_header(9000, 9000) + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b""),
            "picture-too-large",
            "million pixels",
            id="81-million-pixels",
        ),
        pytest.param(
            png_header(0, 5) + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b""),
            "picture-damaged",
            "damaged",
            id="no-width",
        ),
        pytest.param(png_header(8, 8) + png_chunk(b"tEXt", b"") * 60_000, "picture-damaged", "", id="chunks"),
        pytest.param(b"\xff\xd8" + b"\xff\xe1\0\2" * 60_000, "picture-damaged", "", id="segments"),
        pytest.param(b"\xff\xd8" + b"\xff" * 200_000, "picture-damaged", "", id="fill-bytes"),
    ],
)
def test_what_is_not_a_usable_picture_is_said(content: bytes, rule: str, said: str, folder: Path) -> None:
    (folder / "a.png").write_bytes(content)

    found = fault("a.png", folder)

    assert (found.rule, said in found.message) == (rule, True), found


def test_the_limit_is_twenty_million_bytes(folder: Path) -> None:
    content = encoded("PNG")
    (folder / "largest.png").write_bytes(content + b"\0" * (pictures.MAX_BYTES - len(content)))
    (folder / "larger.png").write_bytes(content + b"\0" * (pictures.MAX_BYTES - len(content) + 1))

    assert isinstance(inspect("largest.png", folder, folder), PictureFacts)
    assert fault("larger.png", folder).rule == "picture-too-large"


@pytest.mark.parametrize(
    "written", ["../outside.png", "/etc/hostname", "~/a.png", "~root/a.png", "x/../../outside.png"]
)
def test_a_path_that_leads_out_is_refused(written: str, folder: Path) -> None:
    assert fault(written, folder).rule == "picture-outside"


def test_a_picture_beside_the_manifest_folder_counts_inside_a_git_work_tree(folder: Path) -> None:
    found = inspect("../outside.png", folder, folder.parent)

    assert isinstance(found, PictureFacts)
    assert found.path == folder.parent / "outside.png"


def test_a_link_is_followed_only_inside_the_boundary(folder: Path) -> None:
    (folder / "real.png").write_bytes(encoded("PNG"))
    (folder / "in.png").symlink_to("real.png")
    (folder / "out.png").symlink_to("../outside.png")
    (folder / "up").symlink_to("..")

    found = inspect("in.png", folder, folder)

    assert isinstance(found, PictureFacts)
    assert found.path == folder / "real.png"
    assert fault("out.png", folder).rule == "picture-outside"
    assert fault("up/outside.png", folder).rule == "picture-outside"


def test_the_boundary_itself_may_be_reached_by_a_link(folder: Path) -> None:
    (folder / "a.png").write_bytes(encoded("PNG"))
    link = folder.parent / "link"
    link.symlink_to(folder)

    assert isinstance(rules.Pictures(link).facts("a.png"), PictureFacts)


def test_what_is_not_a_regular_file_is_neither_opened_nor_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to("loop")
    (folder / "zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(folder / "socket"))

        assert "a named pipe" in fault("pipe", folder).message
        assert "a socket" in fault("socket", folder).message
        assert "a folder" in fault(".", folder).message
        assert {fault(name, folder).rule for name in ("pipe", "socket", ".", "loop")} == {"picture-not-regular"}
        assert fault("zero", folder).rule == "picture-outside"


def test_a_device_inside_the_boundary_is_named_as_one(folder: Path) -> None:
    found = inspect("null", Path("/dev"), Path("/dev"))

    assert isinstance(found, PictureFault)
    assert (found.rule, "a device" in found.message) == ("picture-not-regular", True)


@pytest.mark.parametrize(
    "written",
    ["none.png", "", " ", "a\0b.png", "x" * 300, "\ud800.png", "file.txt/a.png", "\x1b]0;x\x07.png"],
)
def test_a_path_without_a_file_is_missing(written: str, folder: Path) -> None:
    (folder / "file.txt").write_text("x")

    found = fault(written, folder)

    assert found.rule == "picture-missing"
    assert found.message.isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_reported(folder: Path) -> None:
    (folder / "a.png").write_bytes(encoded("PNG"))
    (folder / "a.png").chmod(0)

    assert "Permission denied" in fault("a.png", folder).message


def test_what_is_read_for_the_upload_is_what_was_hashed(folder: Path) -> None:
    content = encoded("PNG")
    (folder / "a.png").write_bytes(content)

    assert pictures.read(folder / "a.png", folder) == content
    assert pictures.hash_file(folder / "a.png") == hashlib.sha256(content).hexdigest()


def test_a_picture_swapped_after_the_plan_is_not_read(folder: Path) -> None:
    path = folder / "a.png"
    swaps = {
        "gone": lambda: None,
        "link": lambda: path.symlink_to("../outside.png"),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "empty": path.touch,
        "loop": lambda: path.symlink_to("a.png"),
    }
    for swap in swaps.values():
        swap()
        with pytest.raises(PictureUnreadable, match=r"the picture a\.png "):
            pictures.read(path, folder)
        with pytest.raises(PictureUnreadable, match=r"the picture a\.png "):
            pictures.hash_file(path)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)


def test_a_folder_swapped_for_a_link_after_the_plan_leads_nowhere(folder: Path) -> None:
    (folder / "refs").symlink_to("..")

    with pytest.raises(PictureUnreadable, match="replaced by a link"):
        pictures.read(folder / "refs/outside.png", folder)


def test_random_damage_is_a_fault_or_a_picture_but_never_an_error(folder: Path) -> None:
    from random import Random

    random = Random(7)
    originals = [encoded("PNG", (40, 24)), encoded("JPEG", (40, 24)), encoded("WEBP", (40, 24))]
    for turn in range(450):
        content = bytearray(originals[turn % 3])
        for _ in range(random.randint(1, 6)):
            content[random.randrange(len(content))] = random.randrange(256)
        (folder / "mutant").write_bytes(content)
        assert isinstance(inspect("mutant", folder, folder), PictureFacts | PictureFault)
