"""`veopipe cut` in a real process: what it lists, what it refuses and where, its lock, and what it leaves alone."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.harness import numbered
from tests.harness.film import Film, Result
from veopipe import files
from veopipe.documents import schema
from veopipe.ledger import holding

WITHOUT = (
    sys.executable,
    "-c",
    "import sys; sys.modules[{!r}] = None; from veopipe.__main__ import main; sys.argv[0] = 'veopipe'; main()",
)
CHAINED = {"prompt": "a boat", "input_reference": {"shot": "SC01-pier", "frame": "last"}}


@pytest.fixture(scope="module")
def keep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the film is kept once it was bought, for the other tests of this file."""
    return tmp_path_factory.mktemp("keep") / "film"


@pytest.fixture
def bought(film: Film, keep: Path) -> Film:
    """Two shots that are verified, the second one made from the last frame of the first; of a third one two takes."""
    with film.kept(keep) as is_new:
        if is_new:
            film.list({"SC01-pier": "a pier", "SC02-boat": CHAINED, "SC03-sea": {"prompt": "the sea", "takes": 2}})
            assert film.run().code == 0
            (film.folder / "cuts").mkdir()
    return film


def write(film: Film, *clips: str, name: str = "main", head: str = "version: 1\n") -> None:
    lines = "".join(f"  - {{{clip}}}\n" for clip in clips)
    (film.folder / f"cuts/{name}.yaml").write_text(f"{head}clips:\n{lines}", "utf-8")


def cut(film: Film, *words: str) -> Result:
    return film.command("cut", "shots.yaml", "-p", "quick.yaml", *words)


def clips(film: Film, *words: str) -> list[dict[str, object]]:
    said = cut(film, "--format", "json", *words)
    assert said.code == 0, said
    jsonschema.validate(said.document, schema.load("clips"))
    found: list[dict[str, object]] = said.document["clips"]
    return found


# --- what is listed --------------------------------------------------------------------------------


def test_without_a_file_every_shot_is_shown_whole_in_the_lists_order(bought: Film) -> None:
    shown = clips(bought)

    assert [clip["shot"] for clip in shown] == ["SC01-pier", "SC02-boat", "SC03-sea"]
    assert [(clip["in"], clip["out"], clip["of"], clip["at"]) for clip in shown] == [
        (0, 96, 96, 0),
        (1, 96, 96, 96),
        (0, 96, 96, 191),
    ]
    assert [clip["file"] for clip in shown[:2]] == [
        "renders/shots/takes/SC01-pier.001.mp4",
        "renders/shots/takes/SC02-boat.001.mp4",
    ]
    assert (shown[2]["take"], shown[2]["missing"]) == (None, "nobody has chosen among takes 1 and 2")
    assert shown[1]["notes"] == ["starts at frame 1: frame 0 is the last one of SC01-pier again"]


def test_a_cut_says_which_frames_are_shown_and_what_stands_between_two_is_noted(bought: Film) -> None:
    write(
        bought,
        "shot: SC03-sea, take: 2, in: 12f, out: 3.26s",
        "gap: 0.5",
        "shot: SC01-pier, in: 1, out: 2.5s",
        "shot: SC02-boat",
    )
    shown = clips(bought)

    assert [(clip["kind"], clip["take"], clip["in"], clip["out"], clip["frames"]) for clip in shown] == [
        ("shot", 2, 12, 78, 66),
        ("gap", None, 0, 12, 12),
        ("shot", 1, 24, 60, 36),
        ("shot", 1, 0, 96, 96),
    ]
    assert shown[0]["notes"] == ["out 3.26s is frame 78"]
    assert shown[3]["notes"] == [
        "continues from the last frame of SC01-pier, which isn't shown: the picture jumps",
    ]
    printed = cut(bought)
    assert printed.out.splitlines()[:2] == [
        "main: 4 clips, 8.75 s at 24 fps",
        "   1  00:00:00:00  SC03-sea take 2     2.75 s  frames 12 to 78 of 96",
    ]


def test_a_clip_starts_at_frame_1_only_behind_the_whole_take_that_it_was_made_from(bought: Film) -> None:
    for before, begin in (
        ("shot: SC01-pier", 1),
        ("shot: SC01-pier, in: 90f", 1),
        ("shot: SC01-pier, out: 95f", 0),
        ("shot: SC03-sea, take: 1", 0),
        ("gap: 1s", 0),
    ):
        write(bought, before, "shot: SC02-boat")
        assert clips(bought)[1]["in"] == begin, before
    write(bought, "shot: SC01-pier", "shot: SC02-boat, in: 0f")
    assert clips(bought)[1]["in"] == 0
    assert bought.command("review", "shots.yaml", "SC01-pier", "--pick", "1", "--again", "-p", "quick.yaml").code == 0
    assert bought.run("--yes").code == 0
    write(bought, "shot: SC01-pier, take: 2", "shot: SC02-boat")
    assert clips(bought)[1]["in"] == 0, "it wasn't made from take 2"
    assert clips(bought)[1]["notes"] == ["continues from take 1 of SC01-pier, which isn't shown: the picture jumps"]


# --- what is refused -------------------------------------------------------------------------------


def test_what_is_wrong_stands_where_it_is(bought: Film) -> None:
    write(
        bought,
        "shot: SC02-baot",
        "shot: SC01",
        "gap: 1s, in: 3f",
        "file: a.mp4, take: 2",
        "sho: SC01-pier",
        "shot: SC01-pier, in: half",
        "shot: SC01-pier, gap: 1s",
        "shot: SC01-pier, out: -1",
    )
    done = cut(bought)
    said = [line for line in done.err.splitlines() if line.startswith("cuts/")]

    assert (done.code, done.out) == (2, "")
    assert [line.rpartition("[")[2].rstrip("]") for line in said] == [
        "cut-shot-unknown",
        "cut-shot-unknown",
        "cut-gap-alone",
        "cut-file-alone",
        "cut-clip",
        "unknown-key",
        "cut-in",
        "cut-clip",
        "cut-out",
    ]
    assert said[0] == (
        "cuts/main.yaml:3:12: error: there is no shot SC02-baot: did you mean SC02-boat? [cut-shot-unknown]"
    )
    assert "did you mean SC01-pier?" in said[1]
    assert [line.split(":")[1:3] for line in said[2:]] == [
        ["5", "19"],
        ["6", "25"],
        ["7", "5"],
        ["7", "6"],
        ["8", "27"],
        ["9", "5"],
        ["10", "28"],
    ]


@pytest.mark.parametrize(
    ("clip", "place", "words"),
    [
        ("shot: SC01-pier, out: 97f", "3:28", "`out` lies behind the end: SC01-pier has 96 frames (4 s)"),
        ("shot: SC01-pier, out: 4.5", "3:28", "`out` lies behind the end: SC01-pier has 96 frames (4 s)"),
        ("shot: SC01-pier, in: 96f", "3:27", "nothing is shown: `in` lies behind the end: SC01-pier has 96 frames"),
        ("shot: SC01-pier, in: 3, out: 2", "3:27", "nothing is shown: `in` lies behind frame 47"),
        ("shot: SC01-pier, in: 5f, out: 5f", "3:27", "nothing is shown: `in` lies behind frame 4"),
        ("gap: 0.001", "3:11", "a gap has at least one frame"),
        ("file: gone.mp4", "3:5", "there is no video file gone.mp4"),
        ("file: ../../etc/passwd", "3:5", "lies outside the manifest's folder and its git work tree"),
        ("file: shots.yaml", "3:5", "shots.yaml: "),
    ],
)
def test_a_range_or_a_file_that_isn_t_there_is_an_error_at_its_place(
    clip: str, place: str, words: str, bought: Film
) -> None:
    write(bought, clip)
    done = cut(bought)

    assert done.code == 2
    assert f"cuts/main.yaml:{place}: error: " in done.err
    assert words in done.err


@pytest.mark.shows("film 31")
def test_portrait_and_landscape_in_one_cut_are_refused(bought: Film) -> None:
    tall = [numbered.picture(number, 180, 320) for number in range(4)]
    (bought.folder / "tall.mp4").write_bytes(numbered.clip(tall))
    write(bought, "shot: SC01-pier", "gap: 1s", "file: tall.mp4")
    done = cut(bought)

    assert done.code == 2
    words = "SC01-pier is landscape, tall.mp4 portrait: make two cuts, such as cuts/tall.yaml [cut-shapes]"
    assert f"cuts/main.yaml:5:5: error: {words}" in done.err
    write(bought, "file: tall.mp4", name="tall")
    assert len(clips(bought, "-c", "tall")) == 1


def test_a_cut_that_isn_t_there_is_named_with_those_that_are(bought: Film) -> None:
    write(bought, "shot: SC01-pier", name="teaser")
    missing, odd = cut(bought, "-c", "tall"), cut(bought, "-c", "../shots")

    assert (missing.code, missing.err) == (2, "Error: there is no cuts/tall.yaml\n→ cuts/ has teaser\n")
    assert (odd.code, odd.err.splitlines()[0]) == (2, "Error: ../shots is no name of a cut")


# --- locks -----------------------------------------------------------------------------------------


def pick(film: Film, shot: str, number: int) -> None:
    assert film.command("review", "shots.yaml", shot, "--pick", str(number), "-p", "quick.yaml").code == 0


@pytest.mark.shows("film 28")
def test_a_lock_names_every_file_and_what_isn_t_as_locked_is_told(bought: Film) -> None:
    write(bought, "shot: SC03-sea, in: 12f, out: 3s", "gap: 1s", "shot: SC01-pier")
    never = cut(bought, "--locked")
    assert (never.code, "was never locked" in never.err) == (2, True)

    refused = cut(bought, "--lock", "--format", "json")
    assert refused.document["differences"] == [
        "SC03-sea: nobody has chosen among takes 1 and 2",
        "SC01-pier: it has no pick",
    ]
    assert (refused.code, (bought.folder / "cuts/main.lock.json").exists()) == (1, False)

    pick(bought, "SC03-sea", 1)
    pick(bought, "SC01-pier", 1)
    done = cut(bought, "--lock")
    assert (done.code, done.err) == (0, "locked: cuts/main.lock.json\n")
    lock = json.loads((bought.folder / "cuts/main.lock.json").read_text("utf-8"))
    jsonschema.validate(lock, schema.load("lock"))
    takes = bought.folder / "renders/shots/takes"
    assert lock == {
        "version": 1,
        "ledger": json.loads((bought.folder / ".veopipe/shots/ledger.json").read_text("utf-8"))["id"],
        "fps": "24",
        "clips": [
            {
                "shot": "SC03-sea",
                "take": 1,
                "file": "SC03-sea.001",
                "sha256": files.sha256_of(takes / "SC03-sea.001.mp4"),
                "in": 12,
                "out": 72,
            },
            {"shot": None, "take": None, "file": None, "sha256": None, "in": 0, "out": 24},
            {
                "shot": "SC01-pier",
                "take": 1,
                "file": "SC01-pier.001",
                "sha256": files.sha256_of(takes / "SC01-pier.001.mp4"),
                "in": 0,
                "out": 96,
            },
        ],
    }
    assert cut(bought, "--locked").code == 0

    pick(bought, "SC03-sea", 2)
    changed = cut(bought, "--locked", "-o", "film.edl")
    assert changed.code == 1
    assert "clip 1, SC03-sea: take 2, locked with take 1\n" in changed.err
    assert changed.err.endswith("lock it as it is now: veopipe cut shots.yaml -p quick.yaml --lock\n")
    assert not (bought.folder / "film.edl").exists()
    note = "it was locked with take 1 and is take 2 now: check in and out"
    assert [clip["notes"] for clip in clips(bought)] == [[note], [], []]

    pick(bought, "SC03-sea", 1)
    write(bought, "shot: SC03-sea, in: 13f, out: 3s", "shot: SC01-pier")
    assert cut(bought, "--locked", "--format", "json").document["differences"] == [
        "2 clips, locked with 3",
        "clip 1, SC03-sea: frames 13 to 72, locked with 12 to 72",
        "clip 2, SC01-pier: locked with a gap in its place",
    ]


@pytest.mark.slow
def test_a_locked_film_has_its_files_hashed(bought: Film) -> None:
    (bought.folder / "title.mp4").write_bytes(numbered.clip([numbered.picture(1)] * 24))
    write(bought, "shot: SC01-pier", "file: title.mp4")
    pick(bought, "SC01-pier", 1)
    assert cut(bought, "--lock").code == 0

    title, take = bought.folder / "title.mp4", bought.folder / "renders/shots/takes/SC01-pier.001.mp4"
    title.write_bytes(numbered.clip([numbered.picture(2)] * 24))
    take.chmod(0o644)
    content = bytearray(take.read_bytes())
    content[-1] ^= 1
    for path in (take, bought.folder / "renders/shots/SC01-pier.mp4"):
        path.unlink()
        path.write_bytes(content)
    done = cut(bought, "--locked", "--format", "json")

    assert done.code == 1
    assert done.document["differences"][1:] == [
        "clip 1, SC01-pier: its file is another one than was locked",
        "clip 2, title.mp4: its file is another one than was locked",
    ]
    assert "is not the file that was delivered any more" in done.document["differences"][0]
    assert cut(bought).code == 0, "a listing looks at sizes"


def test_a_lock_that_was_edited_badly_is_refused_at_its_place(bought: Film) -> None:
    pick(bought, "SC01-pier", 1)
    write(bought, "shot: SC01-pier")
    assert cut(bought, "--lock").code == 0
    path = bought.folder / "cuts/main.lock.json"
    path.write_text(path.read_text("utf-8").replace('"in": 0', '"in": "x"'), "utf-8")
    done = cut(bought, "--locked")

    assert done.code == 2
    assert "cuts/main.lock.json:11:10: error: a clip of a lock is as `veopipe cut --lock` wrote it" in done.err


def test_a_rehearsal_has_a_lock_of_its_own(film: Film) -> None:
    film.list({"SC01-pier": "a pier"})
    assert film.command("run", "shots.yaml", "--simulate").code == 0
    assert film.command("review", "shots.yaml", "SC01-pier", "--pick", "1", "--simulate").code == 0

    assert film.command("cut", "shots.yaml", "--simulate", "--lock").code == 0
    assert (film.folder / ".veopipe/shots.simulated/cuts/main.lock.json").is_file()
    assert not (film.folder / "cuts").exists()


# --- what is made ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "film.mov"), "the ending of film.mov names no kind of film"),
        (("-o", "renders/shots/takes/film.mp4"), "lies among the takes"),
        (("-o", ".veopipe/shots/film.otio"), "lies in the ledger"),
        (("-o", "mine.mp4"), "mine.mp4 wasn't made by veopipe cut: left alone"),
        (("-o", "renders/shots/SC01-pier.mp4"), "wasn't made by veopipe cut: left alone"),
        (("-o", "film.edl", "--burn"), "--burn and --full are of an .mp4"),
        (("--full",), "say -o film.mp4"),
        (("--lock", "--locked"), "say one of them"),
    ],
)
def test_what_makes_no_sense_or_would_cost_a_file_is_refused(
    words: tuple[str, ...], message: str, bought: Film
) -> None:
    (bought.folder / "mine.mp4").write_bytes(b"mine")
    done = cut(bought, *words)

    assert (done.code, message in done.err) == (2, True), done
    assert (bought.folder / "mine.mp4").read_bytes() == b"mine"
    assert not (bought.folder / "film.edl").exists()


@pytest.mark.slow
def test_a_film_that_was_made_here_is_made_again(bought: Film) -> None:
    for name in ("film.mp4", "film.otio", "film.otioz", "film.edl"):
        write(bought, "shot: SC01-pier, out: 4f")
        assert cut(bought, "-o", name).code == 0
        first = (bought.folder / name).read_bytes()
        write(bought, "shot: SC01-pier, out: 6f")
        said = cut(bought, "-o", name, "--format", "json")
        assert (said.code, said.document["file"], said.document["frames"]) == (0, name, 6)
        assert (bought.folder / name).read_bytes() != first
    assert not list(bought.folder.glob(".veopipe-*"))


@pytest.mark.parametrize(("module", "name"), [("av", "film.mp4"), ("opentimelineio", "film.otio")])
def test_without_the_extra_a_film_says_so_and_a_listing_works(module: str, name: str, bought: Film) -> None:
    program = (*WITHOUT[:2], WITHOUT[2].format(module))
    done = bought.start("cut", "shots.yaml", "-p", "quick.yaml", "-o", name, program=program).result()
    listed = bought.start("cut", "shots.yaml", "-p", "quick.yaml", program=program).result()

    assert (done.code, done.err.splitlines()[-1]) == (6, "→ pip install 'veopipe[film]'")
    assert (listed.code, "SC02-boat take 1" in listed.out) == (0, True)
    assert not Path(bought.folder / name).exists()


def test_what_a_film_that_was_killed_left_behind_is_removed_by_the_next_one(bought: Film) -> None:
    left, fresh, held = (bought.folder / f".veopipe-{name}0000000" for name in "abc")
    theirs, ledger = bought.folder / ".veopipe-d0000000", bought.folder / ".veopipe-old"
    for folder in (left, fresh, held, theirs, ledger):
        folder.mkdir()
        (folder / "film.mp4").write_bytes(b"half of it")
    (theirs / "notes.txt").write_text("mine")
    for folder in (left, held, theirs, ledger):
        os.utime(folder, (1, 1))
    with holding.held(held, 0):
        assert cut(bought, "-o", "film.mp4").code == 0
    assert not left.exists()
    assert all((folder / "film.mp4").exists() for folder in (fresh, held, ledger))
    assert (theirs / "notes.txt").exists()
