"""Scenes that tests look at on a terminal of their own: `python terminal_scenes.py SCENE [NUMBER]`."""

import os
import sys
from decimal import Decimal
from pathlib import Path

from veopipe.cli.terminal.plans import show_plan
from veopipe.cli.terminal.progress import Progress
from veopipe.cli.terminal.reports import show_report
from veopipe.plan.plan import Action, Item, Plan
from veopipe.project.choices import Choices
from veopipe.report.rows import Money, Report, Row
from veopipe.run.events import Note
from veopipe.takes.order import Order
from veopipe.takes.status import Status
from veopipe.takes.take import Attempt, Delivered, ShotState, Take

CHOICES = Choices(Path("shots.yaml"))


def note(event, shot=None, message="", **facts):
    return Note("2026-11-22T06:00:00Z", event, shot, 1 if shot else None, message, facts)


def shot(number):
    return f"SC{number:0>3}-a-shot-of-the-lighthouse-at-dusk"


def leave(progress):
    """End with the live view on the screen, drawn once more and whole: the thread that draws waits meanwhile."""
    with progress._lock:
        if progress._view is not None:
            progress._view.draw()
        sys.stderr.flush()
        os._exit(0)


def flights(number, **options):
    """So many takes under way, some ended; leaves with the live view on the screen."""
    progress = Progress(**options)
    progress(note("started", takes=number + 3, spent_usd="0", cap_usd="250.00"))
    for n in range(number + 3):
        progress(note(Status.SUBMITTING, shot(n), price_usd="0.30"))
    progress(note(Status.IN_DOUBT, shot(0), "the connection was cut after the request was sent"))
    for n in range(1, number + 3):
        progress(note(Status.RENDERING, shot(n)))
    for status in (Status.RENDERED, Status.DOWNLOADED, Status.VERIFIED):
        progress(note(status, shot(1)))
    progress(note(Status.FAILED, shot(2), "the server is out of film"))
    progress(note("polled", shot(3), percent=40))
    progress(note(Status.RENDERED, shot(4)))
    progress(note("received", shot(4), bytes=2_500_000, length=10_000_000))
    progress(note("waiting", shot(5), "the gateway asks for a pause of 20 s"))
    leave(progress)


def tried_again(number):
    """A take that was refused for now and one that failed, both sent again and verified."""
    progress = Progress(widest=64)
    progress(note("started", takes=2, spent_usd="0"))
    for first in (Status.REFUSED, Status.FAILED):
        for ended in (first, Status.VERIFIED):
            progress(note(Status.SUBMITTING, shot(first), price_usd="0.30"))
            progress(note(Status.RENDERING, shot(first)))
            progress(note(ended, shot(first)))
    leave(progress)


def item(name, action, reason, **more):
    order = Order(
        model="veo-3.1-fast-generate-preview",
        prompt="x",
        seconds=8,
        resolution="1080p",
        aspect_ratio="16:9",
        negative_prompt=None,
        seed=None,
        pictures=(),
        take=1,
    )
    return Item(name, action, reason, 1, "1:0", order, Decimal("0.30"), **more)


def plan(number):
    """One take in doubt, one bought again, and some others."""
    items = [item(shot(n), Action.CREATE, "new") for n in range(number)]
    items += [
        item("again", Action.CREATE, "prompt changed", bought_before=True),
        item("lost", Action.HOLD, "in doubt since yesterday; look it up", status=Status.IN_DOUBT),
        item("sc-" + "x" * 61, Action.KEEP, "refused: " + "this prompt isn't allowed here, " * 5 + "sorry"),
    ]
    show_plan(Plan(tuple(items)), Decimal("20.00"), None, CHOICES)


def row(name, status, reason=None, file=None):
    """A row whose file, if it has one, is of 1080p and 8 s."""
    wanted = item(name, Action.KEEP, "")
    attempt = Attempt(1, "r1", status, "https://gateway.example:443", wanted.price_usd, "2026-11-22T06:00:00Z")
    delivered = Delivered("renders", f"{name}.001.mp4", "0" * 64, 5, 1920, 1080, 8.0) if file else None
    take = Take(1, wanted.fingerprint, wanted.order, (attempt,), delivered)
    return Row(wanted, ShotState(name, (take,)), take, status, file, reason=reason)


def report(number):
    """So many that render, and one of each that a person must know."""
    rows = [row(shot(n), Status.RENDERING) for n in range(number)]
    rows += [
        row("fine", Status.VERIFIED, file="renders/shots/fine.mp4"),
        row("wrong", Status.MISMATCHED, "ordered 1280x720, measured 1920x1080", file="takes/wrong.mp4"),
        row("lost", Status.IN_DOUBT, "the request was sent, and no answer came before the connection was cut"),
    ]
    show_report(Report("shots.yaml", tuple(rows), Money(*[Decimal("0.60")] * 3, Decimal(0))), CHOICES)


if __name__ == "__main__":
    name, count = sys.argv[1], int(sys.argv[2])
    if name in ("plan", "report", "tried_again"):
        {"plan": plan, "report": report, "tried_again": tried_again}[name](count)
    else:
        flights(count, quiet=name == "quiet", verbose=name == "verbose")
