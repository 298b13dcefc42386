"""The reel: what a film's pictures and its sound are encoded to, once, as an MP4.

Nothing foreign comes here: pictures are bytes of a known size, sound is samples. This module and `decoder` with
`player` are all of the client that knows PyAV.

Source: docs/design.md, 12 (Cuts).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import av
from av.filter import Graph

from veopipe.film.player import BYTES_PER_SAMPLE, SAMPLES_PER_S, tight

if TYPE_CHECKING:
    from PIL.Image import Image

# In ticks of a whole number for every frame of every common rate, and every sample: else the lengths that the file
# tells are rounded to milliseconds.
_MP4 = {"movflags": "+faststart", "movie_timescale": "240000"}
_X264 = {"preset": "veryfast", "crf": "20"}
_AAC_BITS_PER_S = 192_000
_FRAME = 1024  # samples that are handed to the encoder at once
_BT709, _LIMITED = 1, 1
_EXACTLY = "out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int"


class Reel:
    """An MP4 that is being written, picture by picture and sample by sample. Use it as a context manager.

    Args:
        path: of the file.
        size: width and height in pixels, even.
        fps: pictures per second.
        comment: what is written into the file.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: Fraction, comment: str) -> None:
        self._size, self._fps = size, fps
        self._file: Any = av.open(str(path), "w", format="mp4", options=_MP4)
        self._file.metadata["comment"] = comment
        self._video: Any = self._file.add_stream("libx264", rate=fps, options=_X264)
        context = self._video.codec_context
        context.width, context.height = size
        context.pix_fmt, context.time_base = "yuv420p", 1 / fps
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        self._audio: Any = self._file.add_stream("aac", rate=SAMPLES_PER_S, layout="stereo")
        self._audio.codec_context.bit_rate = _AAC_BITS_PER_S
        self.pictures = self.samples = 0
        self._overlay: _Overlay | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        """Finish the file; after an error it is only closed."""
        if kind is None:
            self._file.mux(self._video.encode(None))
            self._file.mux(self._audio.encode(None))
        self._file.close()

    def add(self, planes: Sequence[bytes], strips: Sequence[Image] = ()) -> None:
        """Append pictures.

        Args:
            planes: the bytes of each one's yuv420p planes.
            strips: what is laid over the bottom of each; nothing: nothing is.
        """
        for number, content in enumerate(planes):
            frame = self._frame(content)
            if strips:
                frame = self._under(frame, strips[number])
            frame.pts, frame.time_base = self.pictures, 1 / self._fps
            frame.pict_type = 0
            self._file.mux(self._video.encode(frame))
            self.pictures += 1

    def add_sound(self, content: bytes) -> None:
        """Append samples: 16 bits, stereo, 48 kHz."""
        for begin in range(0, len(content), _FRAME * BYTES_PER_SAMPLE):
            part = content[begin : begin + _FRAME * BYTES_PER_SAMPLE]
            count = len(part) // BYTES_PER_SAMPLE
            frame: Any = av.AudioFrame(format="s16", layout="stereo", samples=count)
            plane = frame.planes[0]
            plane.update(part.ljust(plane.buffer_size, b"\0"))
            frame.sample_rate, frame.pts, frame.time_base = SAMPLES_PER_S, self.samples, Fraction(1, SAMPLES_PER_S)
            self._file.mux(self._audio.encode(frame))
            self.samples += count

    def _frame(self, content: bytes) -> Any:
        frame: Any = av.VideoFrame(*self._size, "yuv420p")
        begin = 0
        for plane in frame.planes:
            end = begin + plane.width * plane.height
            plane.update(_padded(content[begin:end], plane))
            begin = end
        frame.colorspace, frame.color_range = _BT709, _LIMITED
        return frame

    def _under(self, frame: Any, strip: Image) -> Any:
        """A picture with a strip over its bottom."""
        self._overlay = self._overlay or _Overlay(frame, strip)
        return self._overlay.laid(frame, strip)


class _Overlay:
    """Lays strips over pictures: pushed in with one time they come out together."""

    def __init__(self, frame: Any, strip: Image) -> None:
        self._graph = Graph()
        clock = Fraction(1, 1000)
        self._below = self._graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=clock, name="below"
        )
        top = _picture(strip)
        self._above = self._graph.add_buffer(
            width=top.width, height=top.height, format=top.format, time_base=clock, name="above"
        )
        laid = self._graph.add("overlay", "x=0:y=main_h-overlay_h:format=yuv420")
        self._made = self._graph.add("buffersink")
        self._below.link_to(laid, 0, 0)
        self._above.link_to(laid, 0, 1)
        laid.link_to(self._made)
        self._graph.configure()
        self._at = 0

    def laid(self, frame: Any, strip: Image) -> Any:
        """A picture with a strip over its bottom."""
        top = _picture(strip)
        for pushed in (frame, top):
            pushed.pts, pushed.time_base = self._at, Fraction(1, 1000)
        self._at += 1
        self._below.push(frame)
        self._above.push(top)
        return self._made.pull()


def _picture(picture: Image) -> Any:
    library: Any = av.VideoFrame
    return library.from_image(picture)


def planes_of(picture: Image) -> bytes:
    """The bytes of the yuv420p planes of a picture in RGB."""
    source = _picture(picture)
    graph = Graph()
    steps = [
        graph.add_buffer(width=source.width, height=source.height, format=source.format, time_base=Fraction(1, 1000)),
        graph.add("scale", _EXACTLY),
        graph.add("format", "yuv420p"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*steps).configure()
    source.pts = 0
    graph.push(source)
    made: Any = graph.pull()
    return b"".join(tight(plane) for plane in made.planes)


def black(size: tuple[int, int]) -> bytes:
    """The bytes of the yuv420p planes of a black picture."""
    light = size[0] * size[1]
    return b"\x10" * light + b"\x80" * (light // 2)


def _padded(content: bytes, plane: Any) -> bytes:
    """The bytes of a plane as it lies in memory: its lines may be longer than what they show."""
    line, width = plane.line_size, plane.width
    if line != width:
        fill = b"\0" * (line - width)
        content = b"".join(content[row * width : (row + 1) * width] + fill for row in range(plane.height))
    return content.ljust(plane.buffer_size, b"\0")
