"""The clips of a film, as people read them."""

from __future__ import annotations

from rich.text import Text

from veopipe.cli.terminal.screen import console as screen
from veopipe.cli.terminal.screen import show_hanging
from veopipe.film.cutting import Film, Shown, rate_in_words, timecode
from veopipe.text import counted, printable


def show_clips(film: Film) -> None:
    """The clips of a film in order, with what an editor should know, on stdout."""
    console = screen(stderr=False)
    head = f": {counted(len(film.clips), 'clip')}, {float(film.seconds):.2f} s at {rate_in_words(film.fps)} fps"
    console.print(Text(film.name, "bold").append(head, "not bold"))
    width = max(len(printable(shown.name, 40, own=True)) for shown in film.clips)
    for number, shown in enumerate(film.clips, 1):
        name = printable(shown.name, 40, own=True).ljust(width)
        begins = timecode(shown.at, film.fps)
        head_text = Text.assemble(f"{number:>4}  ", (begins, "dim"), "  ", (name, "bold"), "  ")
        facts = f"{shown.frames / float(film.fps):6.2f} s  {_range(shown)}"
        show_hanging(console, head_text, Text(facts))
        for note in shown.notes:
            show_hanging(console, Text(" " * 8), Text(printable(note, None), "yellow"))


def _range(shown: Shown) -> str:
    if shown.material is None:
        return "black"
    if shown.missing is not None:
        return "slate"
    return f"frames {shown.begin} to {shown.end} of {shown.footage.count}"
