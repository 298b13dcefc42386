"""Shot lists of any length, and ledgers in which every shot of a list is verified.

The ledger is written by veopipe's own modules, without a gateway and without fsync: buying 100,000 videos from
the simulator would take hours, and what is measured is how a ledger is read. Run as a program (`python -m
benchmarks.filling shots.yaml`) it fills the ledger of a list, so that a benchmark itself stays small.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
import zlib
from decimal import Decimal
from pathlib import Path

KINDS = ("plain", "repeated", "pictures")
"""Each shot a prompt of its own; 20 prompts for all; each shot a picture of its own, 1280x720."""

_HEAD = """\
version: 1
defaults:
  model: veo-3.1-fast-generate-preview
  aspect_ratio: 16:9
shots:
"""
_PROMPT = "A cinematic shot {n} of a lighthouse at sunset, slow camera push-in, ocean waves, film grain"


def write_list(folder: Path, shots: int, kind: str = "plain") -> Path:
    """A shot list as people write them, about 250 bytes a shot.

    Args:
        folder: where `shots.yaml` and its pictures go.
        shots: how many.
        kind: of `KINDS`.
    """
    if kind == "pictures":
        (folder / "refs").mkdir()
    path = folder / "shots.yaml"
    with path.open("w", encoding="utf-8") as out:
        out.write(_HEAD)
        for number in range(shots):
            prompt = _PROMPT.format(n=number % 20 if kind == "repeated" else number)
            out.write(f"  SC{number:06d}:\n    prompt: {prompt}\n")
            out.write(f"    resolution: {('720p', '1080p')[number % 2]}\n    seconds: 8\n")
            if kind == "plain":
                out.write(f"    seed: {number}\n    negative_prompt: blurry, watermark\n")
            elif kind == "pictures":
                (folder / "refs" / f"{number}.png").write_bytes(_picture(number))
                out.write(f"    input_reference: refs/{number}.png\n")
            out.write(f"    tags: [a, b{number % 10}]\n    notes: note {number}\n")
    return path


def _picture(number: int) -> bytes:
    """A valid grey PNG of 1280x720 that no other number has."""
    rows = (b"\0" + bytes([number % 251]) * 1280) * 720
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 1280, 720, 8, 0, 0, 0, 0)),
        (b"tEXt", f"Comment\0{number}".encode()),
        (b"IDAT", zlib.compress(rows, 1)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def fill(manifest: Path) -> None:
    """Write the ledger and the takes of a list in which every shot is verified."""
    from veopipe.ledger import owner, record
    from veopipe.project.choices import Choices
    from veopipe.project.project import load
    from veopipe.takes.status import Status
    from veopipe.takes.take import Attempt, Delivered, ShotState, Take

    loaded = load(Choices(manifest))
    places = loaded.places
    owner.claim_output(places, owner.write(places, owner.look_up(places)))
    content = b"x" * 2000
    digest, when = hashlib.sha256(content).hexdigest(), "2026-11-22T06:00:00Z"
    for shot, wanted in loaded.wanted.items():
        attempt = Attempt(
            1, "20261122T060000Z", Status.VERIFIED, loaded.address.name, Decimal("0.30"), when, when, f"task_{shot}"
        )
        width, height = wanted.order.size
        name = f"{shot}.001.mp4"
        file = Delivered("renders", name, digest, len(content), width, height, 8.0, {"fps": 24.0, "video_codec": "AVC"})
        take = Take(1, wanted.order.fingerprint(), wanted.order, (attempt,), file)
        (places.state / f"{shot}.json").write_bytes(record.dump(ShotState(shot, (take,))))
        path = places.takes_of("renders") / name
        path.write_bytes(content)
        os.link(path, places.output / f"{shot}.mp4")


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
