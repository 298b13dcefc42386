"""The process that plays a video for a film: `python -m veopipe.film.player`. Started by `screening` only.

Foreign videos are decoded where that can be killed, as for a frame (`decoder`, whose rules of which picture is meant,
and which are refused, hold here, too). It says one JSON line when ready, then answers:

* `{"do": "count", "path"}` → how many pictures there are, how fast and how large, and whether there is sound.
* `{"do": "sound", "path", "begin_s", "samples"}` → so many samples of sound, 16 bits, stereo, 48 kHz: what there isn't
  is silent. Their time counts from the first picture that is shown.
* `{"do": "play", "path", …}` → the first pictures, each as the bytes of its yuv420p planes; `{"do": "more"}` → more.

Source: docs/design.md, 12 (Cuts); docs/media-facts.md, e.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from types import ModuleType
from typing import TYPE_CHECKING, Any

from veopipe.film import decoder
from veopipe.film.decoder import Answered, Shown, Unfit
from veopipe.values import dataclass

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

SAMPLES_PER_S = 48_000
BYTES_PER_SAMPLE = 4
"""Of both channels, 16 bits each."""

_SCALE = "{}:{}:in_color_matrix={}:in_range={}:out_color_matrix=bt709:out_range=tv"
_EXACTLY = "flags=bicubic+accurate_rnd+full_chroma_int"


def main() -> None:
    """Answer questions until there are no more."""
    decoder.serve(lambda library: _Player(library).answer)


class _Player:
    """Answers, and remembers which video is being played."""

    def __init__(self, library: ModuleType) -> None:
        self._library = library
        self._playing: Iterator[bytes] = iter(())

    def answer(self, question: dict[str, Any]) -> Answered:
        """The answer to a question, or why there is none."""
        asked = {"count": self._count, "sound": self._sound, "play": self._play, "more": self._more}[question["do"]]
        return asked(question)

    def _count(self, question: dict[str, Any]) -> Answered:
        with decoder.video(self._library, question["path"]) as container:
            seen, last = decoder.looked_through(container, "last")
            size = {"width": last.frame.width, "height": last.frame.height}
            return {**seen.facts(last), **size, "has_sound": bool(container.streams.audio)}, []

    def _sound(self, question: dict[str, Any]) -> Answered:
        samples = question["samples"]
        begin = round(Fraction(question["begin_s"]) * SAMPLES_PER_S)
        path = question["path"]
        with decoder.video(self._library, path) as container:
            start = _first_of(container).at
        with decoder.video(self._library, path) as container:
            return {}, [_sound_of(self._library, container, start, begin, samples)]

    def _play(self, question: dict[str, Any]) -> Answered:
        self._playing = _played(self._library, _Showing.of(question), question["path"])
        return self._more(question)

    def _more(self, question: dict[str, Any]) -> Answered:
        return {}, list(islice(self._playing, question["most"]))


def _first_of(container: InputContainer) -> Shown:
    for shown in decoder.shown_of(container, decoder.stream_of(container)):
        return shown
    raise Unfit("nothing in it is ever shown")


# --- sound -----------------------------------------------------------------------------------------


def _sound_of(library: ModuleType, container: InputContainer, start: Fraction, begin: int, samples: int) -> bytes:
    """Samples of a video's sound, from `begin` on, in samples from the time `start` of the file."""
    made = bytearray(samples * BYTES_PER_SAMPLE)
    if not container.streams.audio:
        return bytes(made)
    at: int | None = None
    for piece, time in _resampled(library, container):
        if at is None:
            at = round((time - start) * SAMPLES_PER_S) - begin
        first, last = max(0, -at), min(len(piece) // BYTES_PER_SAMPLE, samples - at)
        if first < last:
            to = (at + first) * BYTES_PER_SAMPLE
            part = piece[first * BYTES_PER_SAMPLE : last * BYTES_PER_SAMPLE]
            made[to : to + len(part)] = part
        at += len(piece) // BYTES_PER_SAMPLE
        if at >= samples:
            break
    return bytes(made)


def _resampled(library: ModuleType, container: InputContainer) -> Iterator[tuple[bytes, Fraction]]:
    """All sound as it is wanted here, in pieces, each with the time at which the sound began."""
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise Unfit("nothing here can decode its sound")
    resampler = library.AudioResampler(format="s16", layout="stereo", rate=SAMPLES_PER_S)
    begins: Fraction | None = None
    for packet in container.demux(stream):
        for frame in packet.decode():
            if begins is None:
                begins = Fraction(frame.pts or 0) * (frame.time_base or Fraction(1, frame.sample_rate))
            for made in resampler.resample(frame):
                yield bytes(made.planes[0])[: made.samples * BYTES_PER_SAMPLE], begins
    if begins is not None:
        for made in resampler.resample(None):
            yield bytes(made.planes[0])[: made.samples * BYTES_PER_SAMPLE], begins


# --- pictures --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Showing:
    """Which pictures are wanted, and how large.

    Attributes:
        begin: the first one, in frames of the video.
        step: frames of the video for each frame of the film.
        count: how many frames of the film.
        fps: frames per second by which the time of a picture says its number; None: its place among all does.
        width: pixels.
        height: pixels.
    """

    begin: Fraction
    step: Fraction
    count: int
    fps: Fraction | None
    width: int
    height: int

    @classmethod
    def of(cls, question: dict[str, Any]) -> _Showing:
        """What a question says."""
        fps = question["fps"]
        return cls(
            Fraction(question["begin"]),
            Fraction(question["step"]),
            question["count"],
            None if fps is None else Fraction(fps),
            question["width"],
            question["height"],
        )

    def chosen(self, shown: Iterator[Shown]) -> Iterator[Shown]:
        """For each frame of the film the picture that is on screen then."""
        held: Shown | None = None
        start: Fraction | None = None
        made = 0
        for each in shown:
            start = each.at if start is None else start
            place = Fraction(each.number) if self.fps is None else (each.at - start) * self.fps
            while held is not None and made < self.count and place > self.begin + made * self.step:
                yield held
                made += 1
            if made >= self.count:
                return
            held = each
        for _ in range(made, self.count if held is not None else made):
            yield held  # type: ignore[misc]  # the last one stays


def _played(library: ModuleType, showing: _Showing, path: str) -> Iterator[bytes]:
    """The planes of each picture that is wanted."""
    with decoder.video(library, path) as container:
        stream = decoder.stream_of(container)
        converted: Callable[[VideoFrame], bytes] | None = None
        last, content = -1, b""
        for shown in showing.chosen(decoder.shown_of(container, stream)):
            if shown.number != last:
                if converted is None:
                    decoder.refuse_other_conversions(stream, shown.frame)
                converted = converted or _converter(shown.frame, stream, showing)
                last, content = shown.number, converted(shown.frame)
            yield content


def _converter(first: VideoFrame, stream: VideoStream, showing: _Showing) -> Callable[[VideoFrame], bytes]:
    """What makes the planes of a picture, of the size that is wanted: with black bars where it has another shape."""
    from av.filter import Graph

    matrix, levels = decoder.colours_of(first)
    width, height = fitted(first.width, first.height, showing.width, showing.height)
    graph = Graph()
    steps = [
        graph.add_buffer(
            width=first.width, height=first.height, format=first.format, time_base=Fraction(1, 1000), name="in"
        ),
        graph.add("scale", f"{_SCALE.format(width, height, matrix, levels)}:{_EXACTLY}"),
        graph.add("format", "yuv420p"),
        graph.add("pad", f"{showing.width}:{showing.height}:(ow-iw)/2:(oh-ih)/2"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*steps).configure()

    def converted(frame: VideoFrame) -> bytes:
        decoder.colours_of(frame)
        frame.pts = 0
        graph.push(frame)
        made: Any = graph.pull()
        return b"".join(tight(plane) for plane in made.planes)

    return converted


def fitted(width: int, height: int, most_wide: int, most_high: int) -> tuple[int, int]:
    """The largest size of the same shape within another one; even numbers, which the encoder needs."""
    factor = min(Fraction(most_wide, width), Fraction(most_high, height))
    return max(2, round(width * factor / 2) * 2), max(2, round(height * factor / 2) * 2)


def tight(plane: Any) -> bytes:
    """The bytes of a plane without what fills its lines up."""
    content, line, width = bytes(plane), plane.line_size, plane.width
    if line == width:
        return content[: line * plane.height]
    return b"".join(content[line * row : line * row + width] for row in range(plane.height))


if __name__ == "__main__":
    main()
