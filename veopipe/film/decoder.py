"""The process that decodes a video for one picture of it: `python -m veopipe.film.decoder`. `screening` starts it.

Foreign videos are decoded where that can be killed (`delivery.confinement`). It says one JSON line when ready, then
answers `{"path", "at", "largest_png", "limit_s"}` with facts, and behind them the picture as a PNG, and as a JPEG where
the PNG has more bytes than that; or with `{"error"}`.

* Which picture: everything is decoded, the decoder is flushed, and what is presented counts. Seeking near the end, the
  last packet and "duration minus one frame" are each wrong for some files. Edit lists hold, as in a player.
* Which colour: the matrix and the range of the file, BT.709 and limited where it says nothing, by one filter that
  rounds exactly. So five links of a chain on one still picture stay within 1 of 255, and PyAV 14 to 18 give the same
  bytes. What PyAV and ffmpeg do by themselves darkens with each link, or takes the wrong matrix.
* What would need another conversion than that is refused, never converted silently.

Source: docs/media-facts.md, a and b.
"""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from veopipe.delivery.confinement import confine, opened, questions, say
from veopipe.values import dataclass

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from PIL.Image import Image

Answered = tuple[dict[str, Any], list[bytes]]
"""Facts, and the bytes behind them."""

THREADS = 2
"""Of the decoder: each keeps pictures of its own, and 4K is decoded four times as fast as it plays with two."""

MEMORY_BYTES = 2 * 1024 * 1024 * 1024  # a 4K picture has 12 MB, and decoders keep up to some 30 of them
_JPEG_QUALITY = 95
_FILTER = "1"  # raised whenever the same video would give other bytes
_SCALE = "in_color_matrix={}:in_range={}:out_range=pc:flags=bicubic+accurate_rnd+full_chroma_int"

# H.273, as the file tags its pictures; 0 is RGB, which needs none, and 2 says nothing.
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m"}
_MATRIX_UNSAID = "bt709"
_FULL = 2
_WIDE = {9, 10}  # BT.2020, as a matrix or as primaries
_HDR = {16: "PQ", 18: "HLG"}
_UPRIGHT = (65536, 0, 0, 65536)
_COVERS = {"mjpeg", "png", "bmp"}  # the codec of a cover picture, which counts as a stream of video
_TICK = Fraction(1, 1000)  # of the coarsest clock that files have
COMMON_RATES = [Fraction(rate * 1000, 1001) for rate in (24, 30, 60)] + [Fraction(n) for n in (24, 25, 30, 48, 50, 60)]


class Unfit(ValueError):
    """There is no such picture, or it can't be had exactly; the text says why."""


def main() -> None:
    """Answer questions until there are no more."""
    serve(lambda library: partial(_frame, library))


def serve(made: Callable[[ModuleType], Callable[[dict[str, Any]], Answered]]) -> None:
    """Answer questions until there are no more, with limits.

    Args:
        made: what answers them, by PyAV.
    """
    confine(MEMORY_BYTES)
    try:
        import av
    except ImportError as error:
        say({"error": f"PyAV can't be imported: {error}"})
        return
    answer = made(av)
    say({"ready": True})
    for question in questions(THREADS + 1):
        facts, content = _tried(av, partial(answer, question))
        say(facts, *content)


@contextlib.contextmanager
def video(library: ModuleType, path: str) -> Iterator[InputContainer]:
    """A video, open to be decoded."""
    # Titles in any encoding decide nothing.
    with opened(path) as file, library.open(file, format="mp4", metadata_errors="replace") as container:
        yield container


def _tried(library: ModuleType, answer: Callable[[], Answered]) -> Answered:
    """An answer, or why there is none."""
    try:
        return answer()
    except Unfit as error:
        return {"error": str(error)}, []
    except MemoryError:
        return {"error": "decoding it needs too much memory"}, []
    except (library.FFmpegError, OSError, ValueError, ArithmeticError, LookupError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return {"error": f"it can't be decoded: {why}"[:120]}, []


def _frame(library: ModuleType, question: dict[str, Any]) -> Answered:
    with video(library, question["path"]) as container:
        seen, chosen = looked_through(container, question["at"])
        picture = _converted(chosen.frame)
        content = [_png(picture)]
        if len(content[0]) > question["largest_png"]:
            content.append(_jpeg(picture))
        return {**seen.facts(chosen), **_facts_of(picture), "made_by": _made_by()}, content


def looked_through(container: InputContainer, at: str) -> tuple[Seen, Shown]:
    """What was seen of a whole video, and the picture that is meant, if it can be converted."""
    stream = stream_of(container)
    seen = Seen(at, end_of(stream))
    for shown in shown_of(container, stream):
        seen.look_at(shown)
    chosen = seen.chosen()
    refuse_other_conversions(stream, chosen.frame)
    return seen, chosen


# --- which picture ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Shown:
    """A picture that a player would show.

    Attributes:
        frame: the picture.
        number: from 0, among those that are shown.
        at: when, in seconds of the file.
    """

    frame: VideoFrame
    number: int
    at: Fraction


def stream_of(container: InputContainer) -> VideoStream:
    """The first track of pictures."""
    if not container.streams.video:
        raise Unfit("it has no pictures")
    known = [stream for stream in container.streams.video if stream.codec_context is not None]
    films = [stream for stream in known if stream.codec_context.name not in _COVERS]
    stream = next(iter(films or known), None)
    if stream is None:
        raise Unfit("nothing here can decode its pictures")
    stream.codec_context.thread_type = "AUTO"
    stream.codec_context.thread_count = THREADS
    return stream


def shown_of(container: InputContainer, stream: VideoStream) -> Iterator[Shown]:
    """All pictures that are presented, in that order. The last packet of `demux` is empty: it flushes the decoder."""
    number = 0
    for packet in container.demux(stream):
        for frame in packet.decode():
            if frame.pts is None or stream.time_base is None:
                raise Unfit("it doesn't say when its pictures are shown")
            if frame.is_corrupt:
                raise Unfit("its pictures are damaged")
            yield Shown(frame, number, frame.pts * stream.time_base)
            number += 1


def end_of(stream: VideoStream) -> Fraction | None:
    """When the last picture goes off, in seconds of the file, by its header: edit lists are in it."""
    if stream.duration is None or stream.time_base is None:
        return None
    return ((stream.start_time or 0) + stream.duration) * stream.time_base


class Seen:
    """What was shown so far, and which of it is meant."""

    def __init__(self, at: str, end: Fraction | None) -> None:
        self._end = end
        self._wanted = None if at in {"first", "last"} else Fraction(at)
        self._at = at
        self._first: Shown | None = None
        self._last: Shown | None = None
        self._meant: Shown | None = None
        self._count = 0
        self._gaps: set[Fraction] = set()

    def look_at(self, shown: Shown) -> None:
        """Take in the next one."""
        self._count += 1
        self._first = self._first or shown
        if self._last is not None:
            gap = shown.at - self._last.at
            self._gaps = {min(gap, *self._gaps), max(gap, *self._gaps)} if self._gaps else {gap}
        if self._last is None or shown.at > self._last.at:
            self._last = shown
            if self._wanted is not None and shown.at - self._first.at <= self._wanted:
                self._meant = shown

    def chosen(self) -> Shown:
        """The one that is meant, of all."""
        if self._first is None or self._last is None:
            raise Unfit("nothing in it is ever shown")
        if self._wanted is not None and self._wanted >= self._length:
            raise Unfit(f"it lasts {float(self._length):g} s: nothing is shown at {self._at} s")
        found = {"first": self._first, "last": self._last}.get(self._at, self._meant)
        return found or self._first

    def facts(self, chosen: Shown) -> dict[str, Any]:
        """What is told of the file, and of the place of one picture in it; times as fractions of seconds."""
        begin = self._first.at if self._first else Fraction(0)
        return {
            "number": chosen.number,
            "at_s": str(chosen.at - begin),
            "count": self._count,
            "lasts_s": str(self._length),
            "fps": str(self._rate) if self._rate else None,
            "is_even": not self._rate or all(abs(gap - 1 / self._rate) <= _TICK for gap in self._gaps),
        }

    @property
    def _span(self) -> Fraction:
        """Seconds from the first picture to the last one."""
        return self._last.at - self._first.at if self._first and self._last else Fraction(0)

    @property
    def _length(self) -> Fraction:
        """Seconds until nothing is shown any more; where no header says it, the last picture lasts as others do."""
        told = self._end - self._first.at if self._end is not None and self._first else Fraction(0)
        return told if told > self._span else self._span + (1 / self._rate if self._rate else 0)

    @property
    def _rate(self) -> Fraction | None:
        """Pictures per second: a common rate if one fits to a tick, else the mean."""
        if self._count < 2 or not self._span:
            return None
        gaps = self._count - 1
        nearest = min(COMMON_RATES, key=lambda rate: abs(gaps / rate - self._span))
        return nearest if abs(gaps / nearest - self._span) <= _TICK else gaps / self._span


# --- its colours -----------------------------------------------------------------------------------


def refuse_other_conversions(stream: VideoStream, frame: VideoFrame) -> None:
    """Refuse a video whose pictures would need another conversion than there is.

    Raises:
        Unfit: it does.
    """
    context = stream.codec_context
    if context.color_trc in _HDR:
        raise Unfit(f"it is HDR ({_HDR[context.color_trc]}); a frame of it would have other colours")
    if context.color_primaries in _WIDE or frame.colorspace in _WIDE:
        raise Unfit("its colours are those of BT.2020; a frame of it would have other ones")
    bits = max(component.bits for component in frame.format.components)
    if bits > 8:
        raise Unfit(f"it has {bits} bits per colour; a frame has 8")
    if _turn_of(frame) not in {None, _UPRIGHT}:
        raise Unfit("it is stored turned or mirrored; a frame of it would lie on its side")
    ratio = stream.sample_aspect_ratio or context.sample_aspect_ratio
    if ratio and ratio != 1:
        raise Unfit(f"its pixels aren't square ({ratio.numerator}:{ratio.denominator}); a frame would be distorted")


def _turn_of(frame: VideoFrame) -> tuple[int, ...] | None:
    """The four numbers of the display matrix that turn and mirror."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return None
    a, b, _, c, d = struct.unpack_from("=5i", bytes(matrix))
    return a, b, c, d


def colours_of(frame: VideoFrame) -> tuple[str, str]:
    """The matrix and the range of a picture as the filter calls them; the picture doesn't say them any more.

    What the filter is told is all that it shall know.
    """
    is_full = frame.color_range == _FULL or frame.format.name.startswith("yuvj")
    matrix = _MATRICES.get(frame.colorspace, _MATRIX_UNSAID)
    frame.colorspace, frame.color_range = 2, 0
    return matrix, "pc" if is_full else "tv"


def _converted(frame: VideoFrame) -> Image:
    """The picture in RGB."""
    from av.filter import Graph
    from PIL import Image

    matrix, levels = colours_of(frame)
    frame.pts = 0
    graph = Graph()
    steps = [
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000), name="in"
        ),
        graph.add("scale", _SCALE.format(matrix, levels)),
        graph.add("format", "rgb24"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*steps).configure()
    graph.push(frame)
    made: Any = graph.pull()
    plane = made.planes[0]
    return Image.frombuffer("RGB", (made.width, made.height), bytes(plane), "raw", "RGB", plane.line_size, 1)


def _facts_of(picture: Image) -> dict[str, Any]:
    from PIL import ImageStat

    light = ImageStat.Stat(picture.convert("L"))
    return {"width": picture.width, "height": picture.height, "mean": light.mean[0], "spread": light.stddev[0]}


def _png(picture: Image) -> bytes:
    made = io.BytesIO()
    picture.save(made, "PNG")
    return made.getvalue()


def _jpeg(picture: Image) -> bytes:
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return made.getvalue()


def _made_by() -> str:
    """What made it, for the record: it is evidence, and decides nothing."""
    import av
    import PIL

    return f"PyAV {av.__version__}, Pillow {PIL.__version__}, filter {_FILTER}"


if __name__ == "__main__":
    main()
