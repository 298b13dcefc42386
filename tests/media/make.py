"""Makes the MP4s in this folder again: `python tests/media/make.py` (needs PyAV).

`whole/` are files that a player plays; `damaged/` are made from them byte by byte, `odd/` are whole and hard
to measure. The file names say what each is; tests take every file of the first two folders.
"""

from __future__ import annotations

import io
import math
import struct
from fractions import Fraction
from pathlib import Path

import av

HERE = Path(__file__).parent
FPS = 24


def frames(width: int, height: int, count: int):
    """A gradient that moves: compresses well, and no two frames are equal."""
    ramp = (bytes(range(16, 240)) + bytes(range(240, 16, -1))) * (width // 448 + 3)
    for number in range(count):
        frame = av.VideoFrame(width, height, "yuv420p")
        for index, plane in enumerate(frame.planes):
            shift = [(number * (1 + index) + row) % 448 for row in range(plane.height)]
            padding = bytes(plane.line_size - plane.width)
            plane.update(b"".join(ramp[at : at + plane.width] + padding for at in shift))
        yield frame


def frame_by_frame(seconds: int, width: int, height: int) -> bytes:
    """A fragment for each frame, with sound: the muxer can't know yet what a frame lasts, and says none."""
    flags = {"movflags": "+frag_every_frame+empty_moov+default_base_moof+skip_trailer"}
    made = io.BytesIO()
    with av.open(made, "w", format="mp4", options=flags) as out:
        video, sound = out.add_stream("libx264", rate=FPS), out.add_stream("aac", rate=48000, options={"b": "8000"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = Fraction(1, FPS)
        video.options = {"crf": "51", "g": "48", "preset": "ultrafast", "tune": "zerolatency"}
        wave = tone(seconds)
        for number, frame in enumerate(frames(width, height, seconds * FPS)):
            frame.pts = number
            out.mux(video.encode(frame))
            for _ in range(2):
                out.mux(sound.encode(next(wave)))
        for samples in wave:
            out.mux(sound.encode(samples))
        out.mux(sound.encode(None))
        out.mux(video.encode(None))
    return made.getvalue()


def make(name: str, width: int = 320, height: int = 180, *, codec="libx264", audio="aac", fps=FPS, **options: str):
    """One whole MP4 of two seconds; `options` go to the muxer."""
    with av.open(str(HERE / "whole" / name), "w", format="mp4", options=options) as out:
        video = out.add_stream(codec, rate=fps)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = Fraction(1, fps)
        quality = {"preset": "10"} if codec == "libsvtav1" else {"preset": "veryfast"}
        video.options = {"crf": "45", "g": "12", **quality} if codec != "mpeg4" else {"b": "60000"}
        sound = out.add_stream(audio, rate=48000, options={"b": "32000"}) if audio else None
        for frame in frames(width, height, 2 * fps):
            out.mux(video.encode(frame))
        if sound:
            for samples in tone(seconds=2):
                out.mux(sound.encode(samples))
            out.mux(sound.encode(None))
        out.mux(video.encode(None))


def tone(seconds: int):
    """A quiet 440 Hz in frames of 960 samples."""
    step = 2 * math.pi * 440 / 48000
    for start in range(0, seconds * 48000, 960):
        frame = av.AudioFrame(format="s16", layout="mono", samples=960)
        wave = [int(3000 * math.sin(step * (start + n))) for n in range(960)]
        frame.planes[0].update(struct.pack("<960h", *wave))
        frame.sample_rate, frame.pts = 48000, start
        yield frame


def save(name: str, content: bytes) -> None:
    (HERE / name).write_bytes(content)


def find(content: bytes, kind: bytes) -> int:
    """Where the only box of that kind begins."""
    at = content.index(kind)
    return at - 4


def patched(content: bytes, at: int, layout: str, value: int) -> bytes:
    return content[:at] + struct.pack(layout, value) + content[at + struct.calcsize(layout) :]


def whole() -> None:
    make("moov-last.mp4")
    make("moov-first.mp4", movflags="+faststart")
    make("portrait-silent-30fps.mp4", 180, 320, audio=None, fps=30)
    make("fragmented.mp4", movflags="+frag_keyframe+empty_moov+default_base_moof")
    make("fragmented-old-style.mp4", movflags="+frag_keyframe+empty_moov")
    make("fragmented-with-index.mp4", movflags="+dash+frag_keyframe+global_sidx")
    make("hevc.mp4", codec="libx265", movflags="+faststart")
    make("av1-opus.mp4", codec="libsvtav1", audio="libopus")
    make("mpeg4.mp4", codec="mpeg4")
    make("height-1080-coded-1088.mp4", 1920, 1080, audio=None)

    last = (HERE / "whole/moov-last.mp4").read_bytes()
    at = find(last, b"free")  # the muxer leaves these 8 bytes for a 64-bit size
    size = struct.unpack(">I", last[at + 8 : at + 12])[0]
    large = last[:at] + struct.pack(">I4sQ", 1, b"mdat", size + 8) + last[at + 16 :]
    save("whole/mdat-64-bit.mp4", large)
    first = (HERE / "whole/moov-first.mp4").read_bytes()
    save("whole/mdat-to-end-of-file.mp4", patched(first, find(first, b"mdat"), ">I", 0))
    save("whole/offsets-64-bit.mp4", with_co64(last))


def with_co64(content: bytes) -> bytes:
    """The file with its last stco (of the last track) written as a co64."""
    at = content.rindex(b"stco") - 4
    size, _, _, count = struct.unpack(">I4sII", content[at : at + 16])
    offsets = struct.unpack(f">{count}I", content[at + 16 : at + size])
    box = struct.pack(f">I4sII{count}Q", 16 + 8 * count, b"co64", 0, count, *offsets)
    grown = content[:at] + box + content[at + size :]
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        parent = content[:at].rindex(kind) - 4
        grown = patched(grown, parent, ">I", struct.unpack(">I", grown[parent : parent + 4])[0] + 4 * count)
    return grown


def damaged() -> None:
    last = (HERE / "whole/moov-last.mp4").read_bytes()
    first = (HERE / "whole/moov-first.mp4").read_bytes()
    fragmented = (HERE / "whole/fragmented.mp4").read_bytes()
    to_end = (HERE / "whole/mdat-to-end-of-file.mp4").read_bytes()
    half = len(first) // 2
    save("damaged/cut-moov-last.mp4", last[: len(last) * 9 // 10])
    save("damaged/cut-moov-first.mp4", first[:half])
    save("damaged/cut-one-byte.mp4", first[:-1])
    save("damaged/cut-to-end-of-file.mp4", to_end[:half])
    save("damaged/cut-fragmented.mp4", fragmented[: len(fragmented) // 2])
    save("damaged/zero-tail.mp4", first[:half] + bytes(len(first) - half))
    save(
        "damaged/zero-media.mp4",
        first[: find(first, b"mdat") + 8] + bytes(len(first) - find(first, b"mdat") - 8),
    )
    save("damaged/no-media.mp4", first[: find(first, b"mdat")] + struct.pack(">I4s", 8, b"mdat"))
    save("damaged/no-moov.mp4", first[: find(first, b"moov") + 4] + b"free" + first[find(first, b"moov") + 8 :])
    start = struct.unpack(">I", last[:4])[0]
    inserted = struct.pack(">I4s", 2000, b"free") + bytes(1992)
    save("damaged/offsets-not-moved.mp4", last[:start] + inserted + last[start:])
    save("damaged/stts-count.mp4", patched(first, find(first, b"stts") + 16, ">I", 2**32 - 1))
    save("damaged/stts-entries.mp4", patched(first, find(first, b"stts") + 12, ">I", 2**32 - 1))
    save("damaged/stsz-count.mp4", patched(first, find(first, b"stsz") + 16, ">I", 2**32 - 1))
    save("damaged/stsc-first-chunk.mp4", patched(first, find(first, b"stsc") + 16, ">I", 2**32 - 1))
    save("damaged/stco-offset.mp4", patched(first, find(first, b"stco") + 16, ">I", 2**32 - 1))
    ftyp = b"\0\0\0\x18ftypisom\0\0\2\0isommp41"
    for name, size in (("2-63", 2**63), ("2-63-and-16", 2**63 + 16), ("2-64", 2**64 - 1)):
        save(
            f"damaged/moov-of-{name}-bytes.mp4",
            ftyp + struct.pack(">I4sQ", 1, b"moov", size) + b"\0\0\0\x08free",
        )
    save("damaged/page.html.mp4", b"<!doctype html><title>502 Bad Gateway</title>" + b" " * 200)
    save("damaged/playlist.m3u8.mp4", b"#EXTM3U\n#EXTINF:8,\n/etc/hostname\n#EXT-X-ENDLIST\n")
    save("damaged/empty.mp4", b"")
    save("damaged/only-ftyp.mp4", ftyp)


def odd() -> None:
    """Files that are whole: one has no picture, in the other nothing says how long a picture lasts."""
    save("odd/frame-by-frame.mp4", frame_by_frame(4, 160, 90))
    with av.open(str(HERE / "odd/sound-only.mp4"), "w", format="mp4") as out:
        sound = out.add_stream("aac", rate=48000, options={"b": "32000"})
        for samples in tone(seconds=2):
            out.mux(sound.encode(samples))
        out.mux(sound.encode(None))


if __name__ == "__main__":
    whole()
    damaged()
    odd()
