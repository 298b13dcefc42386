"""Pictures: real files of every kind that a manifest can name."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.harness.breadth import cases
from veopipe.manifest import pictures, rules
from veopipe.manifest.families import ModelRules
from veopipe.manifest.pictures import PictureFacts, PictureFault, PictureUnreadable, inspect

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
        assert found.rule.id in {"picture-empty", "picture-format", "picture-damaged"}


def test_a_cut_jpeg_is_found_in_spite_of_its_whole_thumbnail(folder: Path) -> None:
    content = encoded("JPEG")
    thumbnail = encoded("JPEG", (32, 18))
    application = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    (folder / "whole.jpg").write_bytes(content[:2] + application + content[2:])
    (folder / "cut.jpg").write_bytes((content[:2] + application + content[2:])[:-400])

    assert isinstance(inspect("whole.jpg", folder, folder), PictureFacts)
    assert fault("cut.jpg", folder).rule.id == "picture-damaged"


def test_a_png_with_a_wrong_checksum_is_damaged(folder: Path) -> None:
    content = bytearray(encoded("PNG"))
    content[len(content) // 2] ^= 0x10
    (folder / "flipped.png").write_bytes(content)

    assert fault("flipped.png", folder).rule.id == "picture-damaged"


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
    return found.orientation, found.has_location, bool(found.notes)


@pytest.mark.parametrize(("kind", "media_type"), FORMATS)
@pytest.mark.shows("e 24")
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
    assert fault("a.jpg", folder).rule.id == "picture-damaged"
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
@pytest.mark.shows("e 23")
def test_what_is_not_a_usable_picture_is_said(content: bytes, rule: str, said: str, folder: Path) -> None:
    (folder / "a.png").write_bytes(content)

    found = fault("a.png", folder)

    assert (found.rule.id, said in found.message) == (rule, True), found


def test_the_limit_is_twenty_million_bytes(folder: Path) -> None:
    content = encoded("PNG")
    (folder / "largest.png").write_bytes(content + b"\0" * (pictures.MAX_BYTES - len(content)))
    (folder / "larger.png").write_bytes(content + b"\0" * (pictures.MAX_BYTES - len(content) + 1))

    assert isinstance(inspect("largest.png", folder, folder), PictureFacts)
    assert fault("larger.png", folder).rule.id == "picture-too-large"


@pytest.mark.parametrize(
    "written", ["../outside.png", "/etc/hostname", "~/a.png", "~root/a.png", "x/../../outside.png"]
)
@pytest.mark.shows("e 18")
def test_a_path_that_leads_out_is_refused(written: str, folder: Path) -> None:
    assert fault(written, folder).rule.id == "picture-outside"


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
    assert fault("out.png", folder).rule.id == "picture-outside"
    assert fault("up/outside.png", folder).rule.id == "picture-outside"


def test_the_boundary_itself_may_be_reached_by_a_link(folder: Path) -> None:
    (folder / "a.png").write_bytes(encoded("PNG"))
    link = folder.parent / "link"
    link.symlink_to(folder)

    assert isinstance(rules.Pictures(link).facts("a.png"), PictureFacts)


@pytest.mark.shows("e 19")
def test_what_is_not_a_regular_file_is_neither_opened_nor_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to("loop")
    (folder / "zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(folder / "socket"))

        assert "a named pipe" in fault("pipe", folder).message
        assert "a socket" in fault("socket", folder).message
        assert "a folder" in fault(".", folder).message
        assert {fault(name, folder).rule.id for name in ("pipe", "socket", ".", "loop")} == {"picture-not-regular"}
        assert fault("zero", folder).rule.id == "picture-outside"


def test_a_device_inside_the_boundary_is_named_as_one(folder: Path) -> None:
    found = inspect("null", Path("/dev"), Path("/dev"))

    assert isinstance(found, PictureFault)
    assert (found.rule.id, "a device" in found.message) == ("picture-not-regular", True)


@pytest.mark.parametrize(
    "written",
    ["none.png", "", " ", "a\0b.png", "x" * 300, "\ud800.png", "file.txt/a.png", "\x1b]0;x\x07.png"],
)
def test_a_path_without_a_file_is_missing(written: str, folder: Path) -> None:
    (folder / "file.txt").write_text("x")

    found = fault(written, folder)

    assert found.rule.id == "picture-missing"
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


@pytest.mark.shows("e 20")
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


# --- what other programs write into good pictures -------------------------------------------------------


def png_with(*chunks: tuple[bytes, bytes]) -> bytes:
    content = encoded("PNG", (64, 36))
    return content[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + content[33:]


def jpeg_with(*segments: tuple[int, bytes], **options: object) -> bytes:
    content = encoded("JPEG", (64, 36), **options)
    return (
        content[:2] + b"".join(b"\xff" + struct.pack(">BH", kind, len(b) + 2) + b for kind, b in segments) + content[2:]
    )


def webp_with(kind: bytes, body: bytes) -> bytes:
    content = encoded("WEBP", (64, 36), exif=exif_of(orientation=1)) + kind + struct.pack("<I", len(body)) + body
    return content[:4] + struct.pack("<I", len(content) - 8) + content[8:]


def profile(name: bytes, block: bytes) -> bytes:
    """As ImageMagick keeps it."""
    return (
        b"Raw profile type "
        + name
        + b"\0\0"
        + zlib.compress(b"\n%s\n%8d\n%s\n" % (name, len(block), block.hex().encode()))
    )


def flawed(content: bytes, folder: Path) -> str | None:
    (folder / "a").write_bytes(content)
    found = inspect("a", folder, folder)
    assert isinstance(found, PictureFacts), found
    assert (found.width, found.height, found.bytes) == (64, 36, len(content))
    return found.flaw


LARGE = os.urandom(1_200_000).hex().encode()  # 2.4 MB as text, half of it compressed
XMP_GPS = b'<x:xmpmeta exif:GPSLatitude="54,19.0N"/>'
# Made by the test that looks at it: some are large, and every process of pytest reads this file.
GOOD = {
    "ComfyUI's workflow, compressed": lambda: png_with((b"zTXt", b"workflow\0\0" + zlib.compress(LARGE))),
    "a prompt, compressed, in Unicode": lambda: png_with((b"iTXt", b"prompt\0\1\0\0\0" + zlib.compress(LARGE))),
    "a prompt, not compressed": lambda: png_with((b"iTXt", b"prompt\0\0\0\0\0" + LARGE)),
    "a colour profile behind many notes": lambda: png_with(
        *[(b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(b"x"))] * 20,
        (b"iCCP", b"x\0\0" + zlib.compress(LARGE)),
    ),
    "a large colour profile": lambda: png_with((b"iCCP", b"x\0\0" + zlib.compress(LARGE))),
    "texts of 80 MB": lambda: png_with(*[(b"zTXt", b"k%d\0\0" % n + zlib.compress(b"0" * 10**6)) for n in range(80)]),
    "20,000 texts": lambda: png_with(*[(b"tEXt", b"k%d\0x" % n) for n in range(20_000)]),
    "a text that unfolds into a gigabyte": lambda: png_with((b"zTXt", b"a\0\0" + zlib.compress(b"0" * 10**9, 1))),
    "XMP that unfolds into gigabytes": lambda: png_with(
        *[(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"0" * 2**20))] * 3000
    ),
    "an unknown chunk": lambda: png_with((b"teSt", b"x")),
    "content credentials": lambda: png_with((b"caBX", b"x" * 100_000)),
    "a colour profile in four segments": lambda: jpeg_with(
        *[(0xE2, b"ICC_PROFILE\0" + bytes([n, 4]) + LARGE[:60_000]) for n in range(1, 5)]
    ),
    "a colour profile in wrong order": lambda: jpeg_with((0xE2, b"ICC_PROFILE\0\7\1abc")),
    "Exif in five segments": lambda: jpeg_with(
        (0xE1, b"Exif\0\0MM\0*" + struct.pack(">IHHHI4sI", 8, 1, 0x010F, 2, 2, b"ab", 0) + b"\0" * 60_000),
        *[(0xE1, b"Exif\0\0" + b"\1" * 65_000)] * 4,
    ),
    "credentials in four segments": lambda: jpeg_with(*[(0xEB, b"JP" + LARGE[:60_000])] * 4),
    "short application segments": lambda: jpeg_with((0xE0, b"JFIF\0"), (0xEE, b"Adobe\0")),
    "fill bytes and a restart marker": lambda: (lambda c: c[:2] + b"\xff" * 40 + b"\xd0" + c[2:])(jpeg_with()),
    "restart markers": lambda: jpeg_with(restart_marker_blocks=1),
}


@cases("name", GOOD, quick=6)
def test_what_stands_beside_the_picture_doesnt_make_it_damaged(name: str, folder: Path) -> None:
    picture = GOOD[name]()
    start = time.process_time()
    assert flawed(picture, folder) is None
    assert time.process_time() - start < 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_is_accepted(mode: str, folder: Path) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (64, 36)).save(buffer, "PNG")
    assert flawed(buffer.getvalue(), folder) is None


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
@pytest.mark.parametrize("tail", [b"", b"\0" * 300], ids=["nothing", "zeros"])
def test_a_jpeg_without_its_end_marker_is_a_picture_with_a_flaw(
    tail: bytes, progressive: bool, mode: str, folder: Path
) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((64, 36), 60).convert(mode).save(buffer, "JPEG", progressive=progressive)
    whole = buffer.getvalue()
    assert flawed(whole, folder) is None
    assert "end marker" in str(flawed(whole[:-2] + tail, folder))
    for cut in (whole[: len(whole) // 2], whole[: len(whole) // 3]):
        (folder / "cut").write_bytes(cut)
        assert fault("cut", folder).rule.id == "picture-damaged"


def test_a_progressive_jpeg_that_lacks_whole_scans_is_damaged(folder: Path) -> None:
    whole = encoded("JPEG", (64, 36), progressive=True)
    starts = [at for at in range(len(whole)) if whole[at : at + 2] == b"\xff\xda"]
    assert len(starts) > 5
    for at in starts:
        (folder / "cut").write_bytes(whole[:at])
        assert fault("cut", folder).rule.id == "picture-damaged"


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("name", ["noise", "gradient"])
def test_a_progressive_jpeg_that_was_cut_within_its_last_scan_is_damaged(name: str, quality: int, folder: Path) -> None:
    buffer = io.BytesIO()
    drawn = Image.linear_gradient("L").resize((640, 360)) if name == "gradient" else Image.effect_noise((640, 360), 60)
    drawn.convert("RGB").save(buffer, "JPEG", progressive=True, quality=quality)
    whole = buffer.getvalue()
    last = whole.rindex(b"\xff\xda")
    for share in (0.1, 0.5, 0.9):
        (folder / "cut").write_bytes(whole[: last + 10 + int((len(whole) - last - 12) * share)])
        assert fault("cut", folder).rule.id == "picture-damaged"
    (folder / "a").write_bytes(whole[:-2])
    found = inspect("a", folder, folder)
    assert isinstance(found, PictureFacts)
    assert found.flaw is not None


@pytest.mark.parametrize(
    ("rest", "kind"),
    [
        (b"\xff" * 15_000_000, PictureFacts),
        (b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" * 1_500_000, PictureFault),
        (b"\xff\xdd\0\4\0\0" * 2_500_000, PictureFacts),
    ],
    ids=["fill bytes", "scans", "intervals"],
)
def test_what_stands_in_place_of_the_end_marker_is_read_in_moments(rest: bytes, kind: type, folder: Path) -> None:
    (folder / "a.jpg").write_bytes(encoded("JPEG", progressive=True)[:-2] + rest)
    start = time.process_time()
    assert isinstance(inspect("a.jpg", folder, folder), kind)
    assert time.process_time() - start < 2  # 0.6 s


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"tEXt", b"Author\0Ann"),
        (b"gAMA", b"\0\0\xb1\x8f"),
        (b"iCCP", b"x\0\0" + zlib.compress(b"x")),
        (b"eXIf", b"II*\0"),
    ],
)
def test_a_wrong_checksum_beside_the_picture_is_a_flaw(kind: bytes, body: bytes, folder: Path) -> None:
    right = png_with((kind, body))
    assert flawed(right, folder) is None
    wrong = right.replace(body + struct.pack(">I", zlib.crc32(kind + body)), body + b"\0\0\0\0")
    assert kind.decode() in str(flawed(wrong, folder))


@pytest.mark.parametrize(
    ("kind", "body"),
    [(b"gAMA", b"\0"), (b"pHYs", b"\0"), (b"iCCP", b"x\0\7abc"), (b"iCCP", b"x"), (b"iCCP", b"x\0\0abc")],
)
def test_a_damaged_part_beside_the_picture_is_a_flaw(kind: bytes, body: bytes, folder: Path) -> None:
    assert kind.decode() in str(flawed(png_with((kind, body)), folder))


def test_a_piece_of_the_picture_whose_name_is_damaged_is_no_part_beside_it(folder: Path) -> None:
    (folder / "a.png").write_bytes(encoded("PNG").replace(b"IDAT", b"iDAT"))
    assert fault("a.png", folder).rule.id == "picture-damaged"


def notes_of(content: bytes, folder: Path) -> tuple[tuple[str, ...], bool]:
    (folder / "a").write_bytes(content)
    found = inspect("a", folder, folder)
    assert isinstance(found, PictureFacts), found
    return found.notes, found.has_location


CREDENTIALS = "content credentials"


@pytest.mark.parametrize(
    ("content", "notes"),
    [
        (png_with((b"tEXt", b"parameters\0a cat")), ("parameters",)),
        (png_with((b"tEXt", b"prompt\0{}"), (b"tEXt", b"workflow\0{}")), ("prompt", "workflow")),
        (png_with((b"iTXt", b"Author\0\0\0\0\0Ann"), (b"tEXt", b"Software\0x")), ("Author",)),
        (png_with((b"zTXt", b"Comment\0\0" + zlib.compress(b"x"))), ("Comment",)),
        (png_with((b"zTXt", b"Description\0\0damaged")), ("Description",)),
        (png_with((b"zTXt", profile(b"iptc", b"8BIM"))), ("IPTC",)),
        (png_with((b"zTXt", profile(b"icc", b"x"))), ()),
        (png_with((b"zTXt", profile(b"icm", b"x"))), ()),
        (png_with((b"zTXt", profile(b"8bim", b"8BIM"))), ("IPTC",)),
        (png_with((b"zTXt", profile(b"exif", b"x"))), ("Exif",)),
        (png_with((b"tEXt", "Künstler\0x".encode())), ("Künstler",)),
        (png_with((b"iTXt", "作者\0\0\0\0\0x".encode())), ("作者",)),
        (png_with((b"tEXt", "Künstler\0x".encode("latin-1"))), ("Künstler",)),
        (png_with((b"tEXt", b"date:create\0today"), (b"tEXt", b"")), ()),
        (png_with((b"caBX", b"x")), (CREDENTIALS,)),
        (jpeg_with((0xFE, b"by Ann")), ("a comment",)),
        (jpeg_with((0xFE, b"Lavc60.3.100")), ()),
        (jpeg_with((0xED, b"Photoshop 3.0\08BIM\4\4\0\0\0\0\0\5hello")), ("IPTC",)),
        (jpeg_with((0xED, b"Photoshop 3.0\08BIM\3\xed\0\0\0\0\0\5hello")), ()),
        (jpeg_with((0xEB, b"JP\0\1\0\0\0\1jumb")), (CREDENTIALS,)),
        (webp_with(b"C2PA", b"jumb"), (CREDENTIALS,)),
        (webp_with(b"XMP ", b"<x:xmpmeta/>"), ("XMP",)),
    ],
)
def test_notes_are_named(content: bytes, notes: tuple[str, ...], folder: Path) -> None:
    assert notes_of(content, folder) == (notes, False)


@pytest.mark.parametrize(
    "content",
    [
        png_with((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP_GPS)),
        png_with((b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * 100_000 + XMP_GPS))),
        png_with((b"eXIf", exif_of(gps=True).removeprefix(b"Exif\0\0"))),
        png_with((b"zTXt", profile(b"exif", exif_of(gps=True)))),
        png_with((b"tEXt", b"Raw profile type APP1\0\ngeneric\n 9\n" + exif_of(gps=True).hex().encode())),
        png_with((b"zTXt", profile(b"xmp", XMP_GPS))),
        jpeg_with((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP_GPS)),
        jpeg_with((0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 40 + XMP_GPS)),
        webp_with(b"XMP ", b" " * 100_000 + XMP_GPS),
        encoded("WEBP", exif=exif_of(gps=True)),
    ],
)
def test_a_position_is_found_wherever_a_program_keeps_it(content: bytes, folder: Path) -> None:
    assert notes_of(content, folder)[1]


def test_a_note_of_19_mb_takes_a_few_times_its_size_in_memory(folder: Path) -> None:
    text = b"Raw profile type exif\0\nexif\n 9\n" + b"4 " * 9_500_000
    (folder / "a.png").write_bytes(png_with((b"tEXt", text)))
    inspect("a.png", folder, folder)  # loads what it needs
    tracemalloc.start()
    try:
        assert isinstance(inspect("a.png", folder, folder), PictureFacts)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 100_000_000


def test_the_names_of_notes_are_printable_and_few(folder: Path) -> None:
    names = [b"\x1b]0;x\x07", b"x" * 79, *(b"k%d" % number for number in range(2000))]
    (folder / "a.png").write_bytes(png_with(*[(b"tEXt", name + b"\0x") for name in names]))
    judged = rules.Pictures(folder).judge({"input_reference": "a.png"}, ModelRules({}))
    (found,) = [f for f in judged if f.rule == "picture-metadata"]
    assert found.severity == "info"
    assert found.message.isprintable()
    assert "(\\u001b]0;x\\u0007, " in found.message
    assert "k5 and 992 more)" in found.message
    assert len(found.message) < 300
