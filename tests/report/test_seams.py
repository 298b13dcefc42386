"""Where shots go over into each other, as the page knows it: from chains on record, and from the cut."""

import shutil

import pytest

from tests.report.test_html import Elements, html, review

pytest.importorskip("av", reason="the extra `film` isn't installed")

FRAME = {"shot": "SC01", "frame": "last"}
SHOTS = {
    "SC01": {"prompt": "A pier", "takes": 2},
    "SC02": {"prompt": "A bay", "input_reference": FRAME},
    "SC03": {"prompt": "Home", "input_reference": {"shot": "SC02", "frame": 1.5}, "last_frame": FRAME, "seconds": 8},
    "SC04": {"prompt": "A hut", "reference_images": [FRAME], "seconds": 8},
}
CUT = "version: 1\nclips:\n"


@pytest.fixture(scope="module")
def keep(tmp_path_factory):
    """Where the film is kept once it was shot, for the other tests of this file."""
    return tmp_path_factory.mktemp("keep") / "film"


@pytest.fixture
def chained(film, keep):
    """A film whose shots continue from others, with the first take of the first shot picked."""
    if not keep.exists():
        film.list({"SC01": SHOTS["SC01"]})
        film.run()
        review(film, "SC01", "--pick", "1")
        film.list(SHOTS)
        film.run()
        shutil.copytree(film.folder, keep)
    shutil.copytree(keep, film.folder, dirs_exist_ok=True)
    return film


def cut(film, *clips):
    (film.folder / "cuts").mkdir()
    (film.folder / "cuts" / "main.yaml").write_text(CUT + "".join(f"  - {{{clip}}}\n" for clip in clips), "utf-8")


def seams(page):
    """Of each seam what is before it, what is after it, and which takes it was made from."""
    panes = [(a["data-name"], a["data-at"]) for a, _ in page.named("span", "pane") if "data-name" in a]
    made = [a.get("data-made") for a, _ in page.named("button", "joint")]
    return [(*panes[2 * place], *panes[2 * place + 1], each) for place, each in enumerate(made)]


def test_a_chain_has_a_seam_where_a_video_begins_or_ends_with_a_frame_of_another(chained):
    page = Elements(html(chained))
    assert seams(page) == [
        ("SC01", "last", "SC02", "first", "1:1"),
        ("SC02", "1.5", "SC03", "first", "1:1"),
        ("SC03", "last", "SC01", "last", "1:1"),
    ]
    links = [(a["data-seam"], text) for a, text in page.named("button") if "data-seam" in a and not a.get("class")]
    assert links[:2] == [("0", "Seam with SC02"), ("2", "Seam with SC03")]
    assert page.named("svg", "cut") == []


def test_a_film_without_chains_and_cuts_has_no_seams(film):
    film.list({"SC01": "A pier", "SC02": "A bay"})
    film.run()
    page = Elements(html(film))
    assert (page.named("section", "seams"), page.named("dialog", "seam")) == ([], [])


def test_a_cut_has_a_seam_between_each_two_clips_with_the_frames_that_it_shows(chained):
    video = chained.finished("SC04")
    shutil.copy(video, chained.folder / "title.mp4")
    cut(chained, "shot: SC01, in: 12f", "shot: SC02, out: 1s", "gap: 1s", "file: title.mp4", "shot: SC04, take: 1")
    page = Elements(html(chained))
    assert seams(page)[:2] == [
        ("SC01", "last", "SC02", "0.0625", "1:1"),  # a cut starts a shot that continues at frame 1
        ("title.mp4", "last", "SC04", "first", None),
    ]
    others = [each[:4] for each in seams(page)[2:]]
    assert others == [("SC02", "1.5", "SC03", "first"), ("SC03", "last", "SC01", "last")]
    files = [a["data-video"] for a, _ in page.named("span", "pane") if "data-video" in a]
    fixed = [a["data-take"] for a, _ in page.named("span", "pane") if "data-take" in a]
    assert (files, fixed) == (["title.mp4"], ["1"])
    bar = [a["class"] for a, _ in page.named("rect") if a["class"] in {"shot", "gap", "file", "missing"}]
    assert bar == ["shot", "shot", "gap", "file", "shot"]
    assert page.named("title")[1][1] == "SC01, 00:00:00:00, 3.50 s"


def test_a_cut_that_cant_be_shown_is_told_and_spoils_no_page(chained):
    cut(chained, "shot: SC01", "shot: SC9")
    page = Elements(html(chained))
    [(_, said)] = page.named("p", "stopped")
    assert "cuts/main.yaml:4:" in said
    assert "SC9" in said
    assert len(seams(page)) == 3


def test_a_seam_with_a_shot_that_isnt_selected_still_has_its_video(chained):
    cut(chained, "shot: SC01", "shot: SC02")
    done = chained.command("report", "shots.yaml", "-p", "quick.yaml", "--only", "SC02", "-o", "r.html")
    assert done.code == 0
    page = Elements((chained.folder / "r.html").read_text("utf-8"))
    assert seams(page) == [("SC01", "last", "SC02", "first", "1:1")]
    [video] = [a["data-video"] for a, _ in page.named("span", "pane") if "data-video" in a]
    assert (chained.folder / video).is_file()
