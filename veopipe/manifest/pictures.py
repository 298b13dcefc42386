"""Pictures that shots refer to: whether a file may be uploaded, what it is, and its bytes.

* A manifest may come from a stranger's pull request. So a picture is a regular file inside the manifest's folder or
  its git work tree, and every link is followed before that is decided (docs/design.md, 3). Nothing else is ever
  opened: a pipe, a device or a socket can't be read and can't hang the run.
* The format is what the bytes say, never what the name says: JPEG, PNG or WebP (API document,
  "Reference image … JPEG, PNG, and WebP are supported").
* Only headers are parsed. A file that was cut off is found without decoding; only a JPEG without its end marker is
  decoded, because nothing else tells whether more is missing.
* Pillow gets the pieces that make the picture, and no metadata: a damaged note doesn't damage the picture.
* What is wrong with a picture is a value (`PictureFault`), because a manifest reports all its problems.
* This module is the only one that knows Pillow, and it imports it only when there is a picture to check.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import stat
import struct
import warnings
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from veopipe import files
from veopipe.documents import standins
from veopipe.documents.problems import Rule
from veopipe.manifest.picture_parts import NO_END, Parts, survey
from veopipe.text import printable
from veopipe.values import dataclass

MAX_BYTES = 20_000_000
"""The largest picture in bytes. Sources say "20 MB" and don't say which megabyte. A gateway that finds a picture too
large drops it silently and bills a video without it (docs/api-facts.md, b 30), so the smaller reading is the safe
one."""

MAX_PIXELS = 80_000_000
"""Width × height. Ten times a 4K frame; below the 89 million at which Pillow suspects a bomb."""

_OWN, _IMAGES = "veopipe, Manifest", "API document, Multi-Reference Images"
RULES = (
    MISSING := Rule("picture-missing", "error", "a picture is there", _IMAGES),
    _OUTSIDE := Rule("picture-outside", "error", "a picture lies in the manifest's folder or its git work tree", _OWN),
    _NOT_REGULAR := Rule("picture-not-regular", "error", "a picture is a regular file", _OWN),
    _EMPTY := Rule("picture-empty", "error", "a picture isn't an empty file", _IMAGES),
    _TOO_LARGE := Rule("picture-too-large", "error", "a picture has at most 20 MB", "Google, Video"),
    _POINTER := Rule("picture-lfs-pointer", "error", "a picture isn't a Git LFS pointer", _OWN),
    _FORMAT := Rule("picture-format", "error", "a picture is a JPEG, PNG or WebP by its content", _IMAGES),
    _DAMAGED := Rule("picture-damaged", "error", "a picture isn't damaged", _OWN),
)
"""The rules about the file itself; `rules` has those about the picture in it."""

_PILLOW_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
_FROM_PILLOW = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    struct.error,
)
"""What Pillow raises on damaged files; it has no base class for these errors."""

_HEAD = 64
_FILL = re.compile(rb"\xff{99,}")
"""Fill bytes before a marker. Any number of them is allowed, and the decoder reads them again with each block."""

# Files of other kinds that people name by mistake, so that the message can say what they are: (offset, bytes, name).
_OTHER_FORMATS = (
    (0, b"GIF8", "a GIF"),
    (0, b"BM", "a BMP"),
    (0, b"II*\0", "a TIFF"),
    (0, b"MM\0*", "a TIFF"),
    (4, b"ftypavif", "an AVIF"),
    (4, b"ftyphei", "a HEIC"),
    (4, b"ftypmif1", "a HEIC"),
    (4, b"ftyp", "a video"),
    (0, b"%PDF", "a PDF"),
    (0, b"<", "text or HTML"),
)

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What is known of a picture that may be uploaded.

    Attributes:
        path: absolute, all links followed.
        media_type: `image/jpeg`, `image/png` or `image/webp`, by content.
        width: pixels, as stored (an EXIF rotation isn't applied).
        height: pixels, as stored.
        bytes: size of the file.
        orientation: 1 where it is stored upright, 2 to 8 turned or mirrored (Exif).
        has_location: it says where it was taken.
        notes: what its other notes are called, such as those on camera, date and author.
        flaw: what some programs overlook and others refuse; none if None.
    """

    path: Path
    media_type: str
    width: int
    height: int
    bytes: int
    orientation: int = 1
    has_location: bool = False
    notes: tuple[str, ...] = ()
    flaw: str | None = None


@dataclass(frozen=True, slots=True)
class PictureFault:
    """Why a picture can't be used: the rule, and the sentence for people."""

    rule: Rule
    message: str


class PictureUnreadable(ValueError):
    """A picture that was good in the plan can't be read now; the text says why."""


class _Faulty(Exception):
    """Carries a fault up to `inspect` or `read`."""

    def __init__(self, rule: Rule, what: str) -> None:
        super().__init__(what)
        self.rule = rule
        self.what = what


def inspect(written: str, folder: Path, boundary: Path) -> PictureFacts | PictureFault:
    """Whether the picture that a manifest names can be uploaded, and what it is.

    Args:
        written: the path as the manifest has it, relative to the manifest.
        folder: the manifest's folder.
        boundary: the folder that pictures must not leave: the git work tree, or `folder` itself; links followed.

    Returns:
        The facts, or the first thing that is wrong.
    """
    try:
        path = _locate(written, folder, boundary)
        with _opened(path) as file:
            size = _size_of(file)
            head = file.read(_HEAD)
            media_type = _media_type(head)
            parts = _survey(file, media_type, size)
            width, height = _measured(file, media_type, parts)
            flaw = _flaw_of(file, parts)
    except _Faulty as fault:
        return PictureFault(fault.rule, f'the picture "{printable(written)}" {fault.what}')
    except OSError as error:  # the disk failed while it was read
        return PictureFault(_DAMAGED, f'the picture "{printable(written)}" {_because(error)}')
    return PictureFacts(
        path, media_type, width, height, size, parts.orientation, parts.has_location, tuple(parts.notes), flaw
    )


def read(path: Path, boundary: Path) -> bytes:
    """The bytes of a picture, for the upload. At most `MAX_BYTES` are ever held.

    Args:
        path: as in `PictureFacts.path`.
        boundary: the folder that it must not leave; a link that has replaced a folder since is refused.

    Raises:
        PictureUnreadable: it is gone, or isn't a picture file inside the boundary any more.
    """
    try:
        if os.path.realpath(path) != str(path):
            raise _Faulty(_OUTSIDE, "was replaced by a link")
        _refuse_outside(path, Path(os.path.realpath(boundary)))
        with _opened(path) as file:
            _size_of(file)
            content = file.read(MAX_BYTES + 1)
        if not 0 < len(content) <= MAX_BYTES:
            raise _Faulty(_DAMAGED, "changed while it was read")
    except _Faulty as fault:
        raise PictureUnreadable(f"the picture {printable(path.name)} {fault.what}") from None
    except OSError as error:
        raise PictureUnreadable(f"the picture {printable(path.name)} {_because(error)}") from None
    return content


def hash_file(path: Path) -> str:
    """The sha256 of a picture in lower-case hex; the file is streamed, never held.

    Raises:
        PictureUnreadable: it can't be opened or read, or is no longer a regular file of a sensible size.
    """
    try:
        with _opened(path) as file:
            _size_of(file)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except _Faulty as fault:
        raise PictureUnreadable(f"the picture {printable(path.name)} {fault.what}") from None
    except OSError as error:
        raise PictureUnreadable(f"the picture {printable(path.name)} {_because(error)}") from None


def _locate(written: str, folder: Path, boundary: Path) -> Path:
    """The absolute path that a manifest names, links followed, if it is inside the boundary."""
    if written.startswith(("/", "~")):
        raise _Faulty(
            _OUTSIDE,
            "is not a relative path; copy the picture into the manifest's folder and write its path there",
        )
    if not written.strip():
        raise _Faulty(MISSING, "has no name; write the path of a file")
    try:
        path = Path(os.path.realpath(folder / written))
    except (OSError, ValueError):  # a NUL or a lone surrogate in the name
        raise _Faulty(MISSING, "doesn't exist: no file can have that name") from None
    _refuse_outside(path, boundary)
    if (why := files.meant_elsewhere(written)) is not None and not path.exists():
        raise _Faulty(MISSING, f"doesn't exist; it {why}")
    return path


def _refuse_outside(path: Path, boundary: Path) -> None:
    if not path.is_relative_to(boundary):
        raise _Faulty(
            _OUTSIDE,
            "lies outside the manifest's folder and its git work tree, or is a link that leads there;"
            " copy it into the manifest's folder",
        )


def _opened(path: Path) -> BufferedReader:
    """The file, open for reading; what isn't a regular file is neither opened nor waited for."""
    try:
        if not stat.S_ISREG(mode := os.lstat(path).st_mode):  # opening a device can have effects of its own
            raise _not_regular(mode)
        return files.open_regular(path, os.O_NOFOLLOW)
    except files.Irregular as odd:  # it was swapped since
        raise _not_regular(odd.mode) from None
    except OSError as error:
        rule = _NOT_REGULAR if error.errno == errno.ELOOP else MISSING
        away = standins.of(path) if error.errno == errno.ENOENT else None
        raise _Faulty(rule, f"isn't here: {away}" if away else _because(error)) from None


def _not_regular(mode: int) -> _Faulty:
    if stat.S_ISLNK(mode):
        return _Faulty(_NOT_REGULAR, "is a link that leads back to itself; write the file's own path")
    kind = next((name for test, name in _KINDS if test(mode)), "something else")
    return _Faulty(_NOT_REGULAR, f"is {kind}, not a file; write the path of a JPEG, PNG or WebP file")


def _because(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "doesn't exist; check the path, which is relative to the manifest's folder"
    if error.errno == errno.ELOOP:
        return "is a link that leads back to itself; write the file's own path"
    return f"can't be read: {os.strerror(error.errno) if error.errno else error}"


def _size_of(file: BinaryIO) -> int:
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise _Faulty(_EMPTY, "is an empty file; export or copy it again")
    if size > MAX_BYTES:
        raise _Faulty(
            _TOO_LARGE,
            f"has {size / 1e6:.1f} MB; at most {MAX_BYTES // 1_000_000} MB are accepted: scale it down, or"
            " save it as a JPEG",
        )
    return size


def _media_type(head: bytes) -> str:
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if (pointer := standins.of_bytes(head)) is not None:
        rule = _POINTER if "LFS" in pointer.what else MISSING
        raise _Faulty(rule, f"is only {pointer.what}, the picture itself isn't here; {pointer.remedy} and try again")
    other = next((name for at, magic, name in _OTHER_FORMATS if head[at:].startswith(magic)), None)
    found = f" (it looks like {other})" if other else ""
    raise _Faulty(_FORMAT, f"is not a JPEG, PNG or WebP by its content{found}; convert it")


def _ends_too_early() -> _Faulty:
    return _Faulty(_DAMAGED, "is damaged: it ends too early or its header is wrong; export or copy it again")


def _survey(file: BinaryIO, media_type: str, size: int) -> Parts:
    """Refuse a file that ends early, or would keep a parser busy, before Pillow gets it."""
    parts = survey(file, media_type, size)
    if not parts.is_whole and not parts.is_open:
        raise _ends_too_early()
    return parts


def _bare(file: BinaryIO, parts: Parts) -> BinaryIO:
    """The picture without its metadata, as a file."""
    if not parts.pieces:
        file.seek(0)
        return file
    bare = io.BytesIO()
    for position, length in parts.pieces:
        file.seek(position)
        bare.write(file.read(length))
    bare.seek(0)
    return bare


def _flaw_of(file: BinaryIO, parts: Parts) -> str | None:
    """The flaw that some programs overlook; a JPEG without its end marker is decoded to see whether more is missing."""
    if parts.is_whole:
        return parts.flaw
    data = _FILL.sub(b"\xff", _bare(file, parts).read()).rstrip(b"\xff")
    try:
        is_complete = _is_complete(data)
    except _FROM_PILLOW:
        is_complete = False
    if not is_complete:
        raise _ends_too_early()
    return NO_END


def _is_complete(data: bytes) -> bool:
    """Whether a JPEG lacks nothing but its end marker; where it lacks more, Pillow may raise instead.

    * Baseline: the decoder reads a few bytes ahead. Eight bytes of ones let it finish the blocks that are there, and
      make no block themselves. So at most the last blocks can be missing, which can't be seen.
    * Progressive: a decoder silently puts nothing in the place of what is missing. Bytes behind a whole last scan
      change no pixel; bytes behind a cut scan are read as its rest and change the picture.
    """
    from PIL import Image

    with Image.open(io.BytesIO(data + b"\xff\0" * 8), formats=["JPEG"]) as picture:
        if not picture.info.get("progressive"):
            picture.draft("L", (1, 1))  # an eighth of its size: all of its data is read, little is kept
            picture.load()
            return True
    shown = set()
    for rest in (b"", b"\x55" * 4096):
        with Image.open(io.BytesIO(data + rest + b"\xff\xd9"), formats=["JPEG"]) as picture:
            picture.draft(picture.mode, (picture.width // 2, picture.height // 2))  # a quarter of the memory
            shown.add(hashlib.sha256(picture.tobytes()).digest())
    return len(shown) == 1


def _measured(file: BinaryIO, media_type: str, parts: Parts) -> tuple[int, int]:
    """Width and height from the header, by Pillow, which also verifies a PNG's checksums."""
    from PIL import Image

    too_many = _Faulty(_TOO_LARGE, f"claims more than {MAX_PIXELS // 1_000_000} million pixels")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(_bare(file, parts), formats=[_PILLOW_FORMATS[media_type]]) as picture:
                width, height = picture.size
                if width * height > MAX_PIXELS:
                    raise too_many
                picture.verify()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise too_many from None
    except _FROM_PILLOW:
        raise _Faulty(_DAMAGED, "is damaged; open it in an image editor and save it again") from None
    if width < 1 or height < 1:
        raise _Faulty(_DAMAGED, "is damaged: it has no size")
    return width, height
