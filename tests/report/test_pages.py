"""A long report as several pages: what each has, where its links lead, and what is never overwritten."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from veopipe.report.pages import CARDS, file_of, files_of, parts_of, seams_by_part
from veopipe.report.seams import Seam, Seams, Side, Stretch

if TYPE_CHECKING:
    from tests.harness.film import Film, Result

LONG = 2 * CARDS + 3


def named(at: int) -> str:
    return f"S{at:05d}"


# --- which cards are where --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shots", "files"), [(0, 1), (1, 1), (CARDS, 1), (CARDS + 1, 2), (2 * CARDS, 2), (2 * CARDS + 1, 3)]
)
def test_a_thousand_cards_are_one_page(card, shots: int, files: int) -> None:
    cards = [card(named(at)) for at in range(shots)]
    parts = parts_of(cards, "night.html", ())

    assert len(parts) == len(files_of("night.html", shots)) == files
    assert [one for part in parts for one in part.cards] == cards
    assert [part.before for part in parts] == [CARDS * at for at in range(files)]
    if files > 1:
        assert [part.file for part in parts] == files_of("night.html", shots)


def test_without_a_name_it_is_one_page_however_long(card) -> None:
    assert len(parts_of([card(named(at)) for at in range(CARDS + 1)], None, ())) == 1


def test_files_are_named_after_the_first_one() -> None:
    assert [file_of("a night.html", at) for at in (1, 2, 12)] == ["a night.html", "a night-2.html", "a night-12.html"]
    assert file_of("v1.2.htm", 3) == "v1.2-3.htm"


def test_a_page_knows_where_every_shot_is_and_who_needs_a_person(card) -> None:
    cards = [card(named(at)) for at in range(LONG)]
    parts = parts_of(cards, "a night.html", {named(0), named(LONG - 1)})

    assert parts[0].page_of(named(7)) == ""
    assert parts[0].page_of(named(CARDS)) == "a%20night-2.html"
    assert parts[2].page_of(named(7)) == "a%20night.html"
    assert parts[1].page_of("of no card") == ""
    assert [(link.first, link.last, link.people) for link in parts[1].links] == [
        (named(0), named(CARDS - 1), 1),
        (named(CARDS), named(2 * CARDS - 1), 0),
        (named(2 * CARDS), named(LONG - 1), 1),
    ]
    assert [part.is_first for part in parts] == [True, False, False]
    assert [part.is_last for part in parts] == [False, False, True]


def side(shot: str) -> Side:
    return Side(shot, "last", "last frame", shot)


def test_a_seam_is_on_the_pages_of_both_its_shots(card) -> None:
    cards = [card(named(at)) for at in range(LONG)]
    inside, across = (Seam(side(named(at)), side(named(at + 1))) for at in (4, CARDS - 1))
    files = Seam(replace(side(""), video="x.mp4"), replace(side(""), video="y.mp4"))
    all_of_them = Seams((inside, across, files), (Stretch(0, 100, named(0), "", "shot"),), "8 s")
    first, second, third = seams_by_part(parts_of(cards, "night.html", ()), all_of_them)

    assert (first.all, first.bar, first.length) == ((inside, across, files), all_of_them.bar, "8 s")
    assert second == Seams((across,))
    assert third == Seams()
    assert next(seams_by_part(parts_of(cards, None, ()), all_of_them)) is all_of_them


# --- the files --------------------------------------------------------------------------------------


def long_list(film: Film, shots: int = LONG) -> None:
    """One shot on each page is bought; one on the last is refused."""
    prompts = {named(at): f"shot number {at}" for at in range(shots)}
    prompts[named(shots - 1)] += " [simulate: 400_google]"
    film.list(prompts)
    film.pipeline()
    words = [word for at in (0, CARDS, shots - 1) for word in ("--only", named(at))]
    assert film.run("--simulate", *words).code == 1


def written(film: Film, name: str = "night.html") -> Result:
    return film.command("report", "shots.yaml", "-p", "quick.yaml", "--simulate", "-o", name)


def test_a_long_report_is_several_files_that_lead_to_each_other(film: Film) -> None:
    long_list(film)
    ended = written(film)
    assert ended.err.splitlines()[-1] == "written to night.html and 2 more pages, up to night-3.html"
    pages = {path.name: path.read_text("utf-8") for path in film.folder.glob("night*.html")}
    assert sorted(pages) == ["night-2.html", "night-3.html", "night.html"]
    cards = {name: re.findall(r'class="card [^>]*id="shot-(S[0-9]+)"', text) for name, text in pages.items()}
    assert cards["night.html"] + cards["night-2.html"] + cards["night-3.html"] == [named(at) for at in range(LONG)]
    for name, text in pages.items():
        assert {"night.html", "night-2.html", "night-3.html"} <= set(re.findall(r'href="(night[^"#]*)', text)), name
        assert text.count('aria-current="page"') == 1
        assert f"{LONG:,} shots" in text
    refused = named(LONG - 1)
    assert f'<a href="night-3.html#shot-{refused}">{refused}</a>' in pages["night.html"]
    assert f"2 of {LONG:,} shots verified, 1 needs you" in pages["night.html"]
    assert "Needs you" not in pages["night-2.html"]
    chips = {name: re.findall(r'data-status="(\w+)" aria-pressed.*?<b>(\d+)</b>', text) for name, text in pages.items()}
    assert chips["night.html"] == [("verified", "1"), ("pending", "999")]
    assert dict(chips["night-3.html"]) == {"refused": "1", "pending": "2"}
    assert f'<span class="count">{LONG}</span>' in pages["night-3.html"]
    assert f"../{film.folder.name}" not in pages["night-2.html"]
    assert f'src="renders/shots.simulated/{named(CARDS)}.mp4#t=0.5"' in pages["night-2.html"]


def test_a_thousand_shots_are_the_page_that_they_were(film: Film) -> None:
    long_list(film, CARDS)
    written(film)
    text = (film.folder / "night.html").read_text("utf-8")
    assert [path.name for path in film.folder.glob("night*")] == ["night.html"]
    assert text.count('<article class="card ') == CARDS
    for word in ('class="pages', "shots on this page", "Search this page", "On this page", "openElsewhere", "age 1 of"):
        assert word not in text, word


def test_on_stdout_it_is_one_page(film: Film) -> None:
    long_list(film, CARDS + 2)
    out = film.command("report", "shots.yaml", "-p", "quick.yaml", "--simulate", "--format", "html").out
    assert out.count('<article class="card ') == CARDS + 2
    assert "night" not in out


def test_a_file_that_nobody_named_and_that_is_no_page_is_left_alone(film: Film) -> None:
    long_list(film, CARDS + 2)
    own = film.folder / "night-2.html"
    own.write_text("<p>mine</p>")
    ended = written(film)
    assert ended.code == 2
    assert "night-2.html is no page of a report: left alone" in ended.err
    assert own.read_text() == "<p>mine</p>"
    assert [path.name for path in film.folder.glob("night*")] == ["night-2.html"]
    own.unlink()
    assert written(film).code == 0
    assert written(film).code == 0  # over its own pages
    film.list({named(0): "shot number 0"})
    assert "night-2.html is left over from a longer report" in written(film).err
