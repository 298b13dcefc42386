"""What waits for a verdict, and what a review changed, as people read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click
from rich.text import Text

from veopipe.api import Reviewed
from veopipe.cli.terminal.screen import console as screen
from veopipe.cli.terminal.screen import say, show_hanging
from veopipe.report.rows import Row
from veopipe.takes.status import Status
from veopipe.takes.take import Take
from veopipe.takes.verdict import Reviews
from veopipe.text import counted, printable

_COLOURS = {"pick": "bold green", "alt": "cyan", "reject": "red"}


def show_reviews(rows: Sequence[Row], reviews: Reviews) -> None:
    """The shots that wait for a verdict, with all their takes, on stdout."""
    console = screen(stderr=False)
    if not rows:
        click.echo("nothing waits for a verdict")
    for row in rows:
        takes = [take for take in row.state.takes if take.file is not None]
        picks = len(reviews.picks(takes))
        why = f"{picks} picks: leave one" if picks > 1 else f"{counted(len(takes), 'take')}, none picked"
        console.print(Text(row.shot, "bold").append(f": {why}", "not bold"))
        for take in takes:
            show_hanging(console, _head(row, take), Text("  ".join(_facts(row, take))))


def _head(row: Row, take: Take) -> Text:
    review = row.judged.get(take.number)
    verdict = review.verdict.value if review is not None and review.verdict is not None else "-"
    return Text.assemble(f"  {take.number:>3}  ", (f"{verdict:<8}", _COLOURS.get(verdict, "dim")))


def _facts(row: Row, take: Take) -> Iterator[str]:
    file, review = take.file, row.judged.get(take.number)
    if take.status is not Status.VERIFIED:
        yield take.status.value
    if file is not None:
        if file.duration_s is not None:
            yield f"{file.width}x{file.height}  {file.duration_s:.2f} s"
        yield printable(file.name, own=True)
    if review is not None and review.again:
        yield "once more"
    if review is not None and review.note:
        yield printable(review.note, own=True)


def show_changed(done: Reviewed) -> None:
    """What is said now, on stdout."""
    for review in done.changed:
        verdict = review.verdict.value if review.verdict is not None else "no verdict"
        again = ", once more" if review.again else ""
        click.echo(f"{review.take}: {verdict}{again}")
    if not done.changed:
        click.echo("nothing changed")
    for shot in done.moved:
        click.echo(f"{shot}.mp4 shows the chosen take now")
    if done.running:
        say("a run is on: at its end the finished names follow")
