"""`veopipe frame` in a real process: the picture, what it says of it, and what it leaves alone."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import jsonschema
import pytest
from PIL import Image, ImageChops, ImageStat

from tests.harness import numbered
from tests.harness.film import Film, Result
from veopipe import files
from veopipe.documents import schema
from veopipe.simulator.server import Simulator

WITHOUT_AV = (
    sys.executable,
    "-c",
    "import sys; sys.modules['av'] = None; from veopipe.__main__ import main; sys.argv[0] = 'veopipe'; main()",
)


@pytest.fixture(scope="module")
def keep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the film is kept once it was bought, for the other tests of this file."""
    return tmp_path_factory.mktemp("keep") / "film"


@pytest.fixture
def bought(film: Film, keep: Path) -> Film:
    """A list of two shots, both verified."""
    with film.kept(keep) as is_new:
        if is_new:
            film.list({"SC01-pier": "a pier", "SC02-boat": "a boat"})
            assert film.run().code == 0
    return film


def frame(film: Film, shot: str, *words: str, out: str = "out.png") -> Result:
    return film.command("frame", "shots.yaml", shot, "-p", "quick.yaml", "-o", out, *words)


def test_the_last_picture_of_a_verified_take_is_written(bought: Film) -> None:
    done = frame(bought, "SC01-pier", "--format", "json")
    said = done.document

    content = (bought.folder / "out.png").read_bytes()
    source = bought.folder / "renders/shots/takes/SC01-pier.001.mp4"
    assert said | {"made_by": ""} == {
        "exit_code": 0,
        "file": "out.png",
        "sha256": files.sha256_of_bytes(content),
        "bytes": len(content),
        "width": 1280,
        "height": 720,
        "blank": False,
        "shot": "SC01-pier",
        "take": 1,
        "at": "last",
        "frame": 95,
        "seconds": pytest.approx(95 / 24),
        "source": {
            "file": "renders/shots/takes/SC01-pier.001.mp4",
            "sha256": files.sha256_of(source),
            "frames": 96,
            "fps": "24",
            "seconds": 4.0,
            "even": True,
        },
        "made_by": "",
    }
    assert said["made_by"].startswith("PyAV ")
    jsonschema.validate(said, schema.load("frame"))
    with Image.open(io.BytesIO(content)) as shown:
        assert (shown.format, shown.size) == ("PNG", (1280, 720))


def test_another_moment_is_another_picture(bought: Film) -> None:
    for at, number in (("first", 0), ("1.02", 24), ("3.99", 95)):
        done = frame(bought, "SC02-boat", "--at", at, out=f"{number}.png")

        assert done.code == 0
        place = f"frame {number} of 96, at {number / 24:.6g} s of renders/shots/takes/SC02-boat.001.mp4"
        assert done.err == f"written to {number}.png: {place}\n"


def test_the_ending_decides_what_the_picture_is(bought: Film) -> None:
    for name, kind in (("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.JPEG", "JPEG")):
        assert frame(bought, "SC01-pier", out=name).code == 0
        with Image.open(bought.folder / name) as shown:
            assert shown.format == kind
    done = frame(bought, "SC01-pier", out="a.webp")
    assert (done.code, done.err) == (
        2,
        "Error: the ending of a.webp names no kind of picture\n→ endings are .png .jpg .jpeg\n",
    )


def test_another_picture_of_that_name_is_left_alone(bought: Film) -> None:
    assert frame(bought, "SC01-pier").code == 0
    held = (bought.folder / "out.png").read_bytes()

    again, other = frame(bought, "SC01-pier"), frame(bought, "SC01-pier", "--at", "first")

    assert (again.code, again.err.partition(":")[0]) == (0, "unchanged")
    assert (other.code, other.err.splitlines()[0]) == (2, "Error: out.png is another picture: left alone")
    assert "--force" in other.err
    assert (bought.folder / "out.png").read_bytes() == held


def test_another_picture_is_replaced_where_people_say_so_and_nothing_else_ever_is(bought: Film) -> None:
    assert frame(bought, "SC01-pier").code == 0
    last = (bought.folder / "out.png").read_bytes()
    (bought.folder / "mine.png").write_text("my notes")

    other, notes = (
        frame(bought, "SC01-pier", "--at", "first", "--force"),
        frame(bought, "SC01-pier", "--force", out="mine.png"),
    )

    assert (other.code, other.err.startswith("written to out.png")) == (0, True)
    assert (bought.folder / "out.png").read_bytes() != last
    assert (notes.code, notes.err.splitlines()[0]) == (2, "Error: mine.png is no picture: left alone")
    assert (bought.folder / "mine.png").read_text() == "my notes"


def test_where_no_picture_belongs_none_is_written(bought: Film) -> None:
    for out, words in (
        (".veopipe/shots/out.png", "lies in the ledger"),
        ("renders", "names no kind of picture"),
        ("renders/shots/takes/out.png", "lies among the takes"),
        ("gone/out.png", "can't be written: there is no such folder"),
    ):
        done = frame(bought, "SC01-pier", out=out)

        assert done.code in {2, 6}
        assert words in done.err
        assert not (bought.folder / out).is_file()
    assert done.err.endswith("→ make it: mkdir -p gone\n"), "the example of --help writes into a folder, too"


def test_a_shot_that_is_undecided_needs_the_number_of_a_take(bought: Film) -> None:
    """Its text was edited since: the take that is there isn't what the list wants."""
    bought.list({"SC01-pier": "another pier", "SC02-boat": "a boat"})

    undecided, chosen = frame(bought, "SC01-pier"), frame(bought, "SC01-pier", "--take", "1")

    assert (undecided.code, undecided.err) == (
        2,
        "Error: SC01-pier has no chosen take that is verified\n→ say which with --take: 1\n",
    )
    assert chosen.code == 0


HOW = "write first, last, or seconds from the first picture, such as 7.25"
WRONG = (
    ("SC01", (), "there is no shot SC01\n→ did you mean SC01-pier?"),
    ("SC02-baot", (), "there is no shot SC02-baot\n→ did you mean SC02-boat?"),
    ("SC01-pier", ("--take", "7"), "SC01-pier has no take 7 with a file\n→ say which with --take: 1"),
    ("SC01-pier", ("--at", "7.9"), "SC01-pier take 1 gives no such frame: it lasts 4 s: nothing is shown at 7.9 s"),
    ("SC01-pier", ("--at", "lst"), f"lst names no picture of a video\n→ {HOW}"),
    ("SC01-pier", ("--at=-1",), f"-1 names no picture of a video\n→ {HOW}"),
)


def test_what_names_no_picture_is_told_in_words(bought: Film) -> None:
    for shot, words, said in WRONG:
        done = frame(bought, shot, *words)

        assert (done.code, done.err) == (2, f"Error: {said}\n")
        assert not (bought.folder / "out.png").exists()


def test_a_take_that_isn_t_here_is_found_under_its_finished_name_or_named(bought: Film) -> None:
    take = bought.folder / "renders/shots/takes/SC01-pier.001.mp4"
    take.unlink()
    assert "of renders/shots/SC01-pier.mp4" in frame(bought, "SC01-pier").err

    bought.finished("SC01-pier").unlink()
    done = frame(bought, "SC01-pier", out="other.png")
    assert (done.code, done.err) == (
        6,
        "Error: SC01-pier take 1 isn't on this disk: renders/shots/takes/SC01-pier.001.mp4 is missing\n",
    )


def test_nothing_is_sent_and_the_ledger_stays_as_it_is(bought: Film, gateway: Simulator) -> None:
    before, asked = snapshot(bought.folder), len(gateway.wire)

    assert frame(bought, "SC01-pier", out="../out.png").code == 0

    assert snapshot(bought.folder) == before
    assert len(gateway.wire) == asked


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    found = ((path, path.stat()) for path in folder.rglob("*"))
    return {str(path): (status.st_ino, status.st_mtime_ns) for path, status in found}


def test_without_pyav_the_error_says_how_to_get_it(bought: Film) -> None:
    words = ("frame", "shots.yaml", "SC01-pier", "-p", "quick.yaml", "-o", "out.png")
    done = bought.start(*words, program=WITHOUT_AV).result()

    assert (done.code, done.err) == (
        6,
        "Error: PyAV isn't installed, which frames need\n→ pip install 'veopipe[film]'\n",
    )


def test_a_black_picture_is_written_with_a_note(bought: Film) -> None:
    black = numbered.clip([Image.new("RGB", (1280, 720))] * 96)
    exchange(bought, "SC01-pier", black)

    done = frame(bought, "SC01-pier", "--take", "1")

    assert done.code == 0
    assert done.err.endswith("note: it is black; --at names an earlier one, such as first or 7.25\n")


def exchange(film: Film, shot: str, content: bytes) -> None:
    """Let a take on record be another file."""
    path = film.folder / f"renders/shots/takes/{shot}.001.mp4"
    state = film.folder / f".veopipe/shots/state/{shot}.json"
    old = files.sha256_of(path)
    text = state.read_text("utf-8").replace(old, files.sha256_of_bytes(content))
    state.write_text(text.replace(f'"bytes": {path.stat().st_size}', f'"bytes": {len(content)}'), "utf-8")
    files.replace(path, content)


@pytest.mark.slow
def test_a_frame_of_one_shot_is_where_the_next_one_begins(film: Film) -> None:
    """The seam of two rehearsed shots: the last picture of one, and the first of the other."""
    film.list({"SC01": "a pier"})
    assert film.run("--simulate").code == 0
    words = ("--simulate", "-p", "quick.yaml", "-o")
    assert film.command("frame", "shots.yaml", "SC01", *words, "seam.png").code == 0
    film.list({"SC01": "a pier", "SC02": {"prompt": "a boat", "input_reference": "seam.png"}})
    assert film.run("--simulate").code == 0
    assert film.command("frame", "shots.yaml", "SC02", "--at", "first", *words, "first.png").code == 0

    with Image.open(film.folder / "seam.png") as before, Image.open(film.folder / "first.png") as after:
        difference = ImageStat.Stat(ImageChops.difference(before, after)).mean
    assert max(difference) < 2
