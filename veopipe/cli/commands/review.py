"""`veopipe review`: people say which takes they choose."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from veopipe.api import Project, Reviewed
from veopipe.cli.completions import complete_shot
from veopipe.cli.options import Decorator, about_manifest, example, simulate_option
from veopipe.cli.output import emit, emit_line
from veopipe.cli.terminal.reviews import show_changed, show_reviews
from veopipe.cli.terminal.screen import say
from veopipe.errors import UsageError
from veopipe.film.decisions import Decision, decision_of, parse_decisions
from veopipe.plan.plan import Action, Plan, Wanted
from veopipe.project.choices import Choices
from veopipe.project.open_ledger import OpenLedger
from veopipe.project.project import no_shot
from veopipe.report.rows import Row
from veopipe.takes.take import ShotState, Take
from veopipe.takes.verdict import Reviews, Verdict
from veopipe.text import printable

_CODES = "0 listed or written; 2 wrong usage or input, nothing changed; 6 a file can't be read or written"
_EXAMPLE = "veopipe review shots.yaml SC01 --pick 2 --note 'the gull at 5 s'"
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # controls, and bytes that aren't UTF-8
_LONGEST_NAME = 200  # characters of `by`
_number = click.IntRange(1, 999_999)


def _several(name: str, words: str) -> Decorator:
    return click.option(name, type=_number, multiple=True, metavar="N", help=words)


@click.command("review", epilog=example(_EXAMPLE, _CODES))
@about_manifest
@simulate_option()
@click.argument("what", required=False, metavar="[SHOT|FILE]", shell_complete=complete_shot)
@click.option("--pick", type=_number, metavar="N", help="Choose take N; an earlier pick becomes alt.")
@_several("--alt", "Keep take N in mind.")
@_several("--reject", "Take N isn't wanted.")
@_several("--clear", "Take back what was said of take N.")
@_several("--take", "Say only a note or --again of take N.")
@click.option(
    "--again",
    is_flag=True,
    help="One more result of that text, please, however many takes are named: the next run buys it.",
)
@click.option("--note", metavar="TEXT", help="What others should know.")
@click.option("--by", metavar="NAME", help="Who says so; default: GIT_AUTHOR_NAME, or your login name.")
def command(manifest: Path, what: str | None, format_: str, *, again: bool, note: str | None, **options: Any) -> int:
    """Say which takes of SHOT are chosen, take in what a report's page saved (FILE), or list what waits for a verdict.

    Nothing is bought: what is said lies in review/, in git, and the next run goes by it.
    """
    numbers = {verdict: list(_numbers(options.pop(verdict))) for verdict in ("pick", "alt", "reject", "clear", "take")}
    by = options.pop("by") or _somebody()
    film = Project.of(Choices(manifest, **options), say)
    ledger, says_of_takes = film.look(), any(numbers.values())
    if says_of_takes and what is not None:
        decisions = _decisions(ledger, what, numbers, again=again, note=note, by=by)
        return _show(film.review(decisions), format_)
    if says_of_takes or again or note is not None or what in film.loaded.manifest.shots:
        raise UsageError("say a SHOT and one of --pick, --alt, --reject, --clear, --take, with the number of a take")
    if what is None:
        return _list(film, ledger, format_)
    return _show(film.review(parse_decisions(Path(what), ledger.head.id)), format_)


def _numbers(told: int | Sequence[int] | None) -> Iterator[int]:
    if isinstance(told, int):
        yield told
    elif told is not None:
        yield from told


def _somebody() -> str | None:
    """Who is at the keyboard, as far as the system knows: what nobody typed here is cut and cleaned, not refused."""
    try:
        name = os.environ.get("GIT_AUTHOR_NAME") or getpass.getuser()
    except (KeyError, OSError):  # a container without a user's name
        return None
    return _NO_TEXT.sub("\ufffd", name)[:_LONGEST_NAME]


def _state_of(ledger: OpenLedger, shot: str) -> ShotState:
    held = ledger.plan(anywhere=True).record_of(shot)  # the next run moves a state to its new id
    if held is not None and (state := ledger.store.shots.get(held)) is not None:
        return state
    if shot in ledger.project.manifest.shots:
        raise UsageError(f"{printable(shot, 80)}: no take of it was ordered yet")
    raise no_shot(shot, ledger.project.manifest.shots)


def _decisions(
    ledger: OpenLedger,
    shot: str,
    numbers: Mapping[str, Sequence[int]],
    *,
    again: bool,
    note: str | None,
    by: str | None,
) -> list[Decision]:
    _refuse_confusion(numbers, again=again, note=note)
    state = _state_of(ledger, shot)
    told = [(_take(state, number), verdict) for verdict, several in numbers.items() for number in several]
    wishing = _wishing([take for take, _ in told]) if again else []
    return [
        decision_of(take, **_said(verdict), again=take in wishing or None, note=note, by=by) for take, verdict in told
    ]


def _wishing(takes: Sequence[Take]) -> list[Take]:
    """The takes that get the wish for one more: of several with one text the newest alone, for each wish is bought."""
    wishing: list[Take] = []
    for take in sorted(takes, key=lambda take: -take.number):
        if not any(take.order.has_text_of(other.order) for other in wishing):
            wishing.append(take)
    return wishing


def _refuse_confusion(numbers: Mapping[str, Sequence[int]], *, again: bool, note: str | None) -> None:
    named = [number for several in numbers.values() for number in several]
    if len(set(named)) != len(named) or (again and numbers["clear"]):
        raise UsageError("say one thing of each take; --clear takes the wish for one more back, too")
    if numbers["take"] and not again and note is None:
        raise UsageError("--take says nothing by itself: add --again or --note")


def _said(verdict: str) -> dict[str, Any]:
    if verdict == "take":
        return {}
    return {"clears": True} if verdict == "clear" else {"verdict": Verdict(verdict)}


def _take(state: ShotState, number: int) -> Take:
    try:
        return state.take(number)
    except KeyError:
        there = ", ".join(str(take.number) for take in state.takes)
        raise UsageError(f"{state.shot} has no take {number}: there are {there}") from None


def _show(done: Reviewed, format_: str) -> int:
    if format_ == "json":
        changed = {each.take: {"verdict": each.verdict, "again": each.again} for each in done.changed}
        emit_line({"exit_code": 0, "changed": changed, "moved": list(done.moved), "running": done.running})
    else:
        show_changed(done)
    return 0


def _list(film: Project, ledger: OpenLedger, format_: str) -> int:
    reviews, rows = ledger.reviews, _waiting(film, ledger)
    takes = [take for state in ledger.store.shots.values() for take in state.takes]
    strange = [said.take for said in reviews.unmatched(takes)]
    if format_ == "json":
        emit({"exit_code": 0, "shots": {row.shot: row.as_json() for row in rows}, "unmatched": strange})
        return 0
    show_reviews(rows, reviews)
    if rows:
        _say_how(rows, ledger.project.choices)
    for name in strange:
        say(f"{name}.yaml is about a file that no take here has: it counts for nothing")
    return 0


def _waiting(film: Project, ledger: OpenLedger) -> list[Row]:
    """The shots that wait for a verdict; those with two picks come first."""
    reviews, plan = ledger.reviews, ledger.plan(anywhere=True)
    wanting, drafts = _wanting(plan, ledger.project.wanted), _drafts(ledger)
    every = film.report_of(ledger, plan).rows
    rows = [row for row in every if _waits(reviews, row, wanting) or _is_draft(drafts, row)]
    return sorted(rows, key=lambda row: len(reviews.picks(row.state.takes)) < 2)


def _say_how(rows: Sequence[Row], choices: Choices) -> None:
    command = choices.command("review", rows[0].shot if len(rows) == 1 else "SHOT")
    say(f"choose with: {command} --pick N")
    say(f"one more:    {command} --take N --again")


def _wanting(plan: Plan, wanted: Mapping[str, Wanted]) -> set[str]:
    """The shots that others wait for."""
    waits = (item.shot for item in plan.items if item.action is Action.WAIT)
    return {producer for shot in waits for producer in wanted[shot].producers}


def _waits(reviews: Reviews, row: Row, wanting: Collection[str]) -> bool:
    """Whether a shot waits for a verdict: another one waits for it, or nobody has chosen among its takes."""
    takes = [take for take in row.state.takes if take.file is not None]
    asked = row.shot in wanting and bool(takes) and not reviews.picks(takes)
    return asked or bool(reviews.undecided(takes))


def _drafts(ledger: OpenLedger) -> Reviews | None:
    """What was said of the drafts that this pipeline comes after; None: it comes after none."""
    draft = ledger.project.pipeline.after
    return replace(ledger.reviews, output=draft.output) if draft is not None else None


def _is_draft(drafts: Reviews | None, row: Row) -> bool:
    """Whether a shot waits for the pick of a draft that is there."""
    if drafts is None or row.item.action is not Action.WAIT:
        return False
    here = [take for take in row.state.takes if take.file is not None and take.file.output == drafts.output]
    return bool(here) and len(drafts.picks(here)) != 1
