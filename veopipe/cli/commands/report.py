"""`veopipe report`: a report of the ledger, for people, for CI, for a pull request."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path
from typing import Any

import click

from veopipe import files
from veopipe.api import Project
from veopipe.cli.options import LocalPath, about_shots, example, simulate_option
from veopipe.cli.output import emit, text_of
from veopipe.cli.terminal.reports import show_report
from veopipe.cli.terminal.screen import say
from veopipe.clock import now
from veopipe.errors import UsageError
from veopipe.ledger.paths import Places
from veopipe.project.choices import Choices
from veopipe.project.open_ledger import OpenLedger
from veopipe.report.rows import Report
from veopipe.text import counted, printable

_ENDINGS = {
    ".html": "html",
    ".htm": "html",
    ".json": "json",
    ".xml": "junit",
    ".md": "markdown",
    ".markdown": "markdown",
}
_PAGE = b'<meta name="generator" content="veopipe '
_MARKS = (
    (_PAGE,),
    (b'{\n  "manifest": ', b'\n  "exit_code": ', b'\n  "cost_usd": {'),
    (b'<testsuites name="veopipe"',),
    (b"## ", b" verified\n\nCharged **\\$"),
)
"""What a report of ours has in its first bytes, for each kind: an older one may be replaced, and nothing else."""
_HEAD = 4 << 10


@click.command(
    "report",
    epilog=example(
        "veopipe report shots.yaml -o night.html --open", "0 written; 2 wrong usage or input; 6 environment"
    ),
)
@about_shots("How it was run: a pipeline's name or file.")
@simulate_option()
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "html", "json", "junit", "markdown"]),
    help="What it is. Without it the ending of -o decides, else text.",
)
@click.option("-o", "--output", type=LocalPath(path_type=Path), help="A file instead of stdout.")
@click.option("--open", "open_", is_flag=True, help="Show the HTML report in a browser.")
def command(manifest: Path, format_: str | None, *, output: Path | None, open_: bool, **options: Any) -> int:
    """Write a report of what MANIFEST's ledger holds. Reads only, also while a run is on.

    html is a contact sheet, to be kept where its videos are: one file, or several above 1,000 shots. junit and markdown
    are for CI.
    """
    film = Project.of(Choices(manifest, **options), say)
    kind, output = _chosen(film.loaded.places, format_, output, open_=open_)
    ledger = film.look()
    report = film.report_of(ledger)
    if kind == "text":
        _show(report, film.loaded.choices, output)
        return 0
    if output is None:
        text = _text_of(kind, ledger, report)
        click.echo(text, nl=not text.endswith("\n"))
        return 0
    written = _write_pages(output, ledger, report) if kind == "html" else [output]
    if kind != "html":
        _write(output, _text_of(kind, ledger, report, output.absolute().parent))
    if format_ == "json":
        emit({"exit_code": 0, "file": str(output)})
    else:
        others = f" and {counted(len(written) - 1, 'more page')}, up to {written[-1].name}" if written[1:] else ""
        say(f"written to {output}{others}")
    if open_ and not webbrowser.open(output.absolute().as_uri()):
        say("no browser was found; open the file yourself")
    return 0


def _chosen(places: Places, format_: str | None, output: Path | None, *, open_: bool) -> tuple[str, Path | None]:
    """What is made, and the file that it goes to; None: stdout."""
    if open_ and output is None:
        output = places.manifest.parent / f"{places.name}.report.html"
    kind = format_ or _kind_of(output)
    if open_ and kind != "html":
        raise UsageError(f"--open shows an HTML report; {kind} is none", hint="add --format html")
    if output is not None:
        _refuse_loss(output, places)
    return kind, output


def _kind_of(output: Path | None) -> str:
    if output is None:
        return "text"
    kind = _ENDINGS.get(output.suffix.lower())
    if kind is None:
        raise UsageError(
            f"the ending of {printable(str(output))} names no format",
            hint=f"endings are {' '.join(_ENDINGS)}; or add --format",
        )
    return kind


def _refuse_loss(output: Path, places: Places) -> None:
    """Refuse an output that is anything but a new file or an older report."""
    path = output.absolute()
    inside = files.lies_in(path, places.folder)
    other = os.path.lexists(path) and (path.suffix.lower() not in _ENDINGS or not _is_ours(path))
    if path.is_dir():
        raise UsageError(f"{printable(str(output))} is a folder; name a file in it")
    if inside or other or files.is_same_file(path, places.manifest):
        raise UsageError(f"{printable(str(output))} isn't a report: left alone", hint="choose another name for -o")


def _show(report: Report, choices: Choices, output: Path | None) -> None:
    if output is not None:
        raise UsageError("text goes to the terminal only", hint=f"for a file choose one of {' '.join(_ENDINGS)}")
    show_report(report, choices)


def _write_pages(output: Path, ledger: OpenLedger, report: Report) -> list[Path]:
    """Write the HTML report, a long one as several files beside each other; which these are.

    The first page comes last: it never leads to what isn't there yet.
    """
    from veopipe.report import html, pages  # with a template engine

    names = pages.files_of(output.name, len(report.rows))
    for name in names[1:]:
        if not _may_be_replaced(output.with_name(name)):
            raise UsageError(f"{printable(name)} is no page of a report: left alone", hint="choose another name for -o")
    found = html.pages(ledger, report, output.absolute().parent, now(), output.name)
    first = next(found)[1]
    for name, text in found:
        _write(output.with_name(name), text)
    _write(output, first)
    left = output.with_name(pages.file_of(output.name, len(names) + 1))
    if os.path.lexists(left) and _may_be_replaced(left):
        say(f"{left.name} is left over from a longer report")
    return [output.with_name(name) for name in names]


def _may_be_replaced(path: Path) -> bool:
    """Whether nothing lies there, or a page of ours: nobody named this file."""
    return not os.path.lexists(path) or _PAGE in (_head_of(path) or b"")


def _is_ours(path: Path) -> bool:
    """Whether a file is a report that may be replaced, or empty, or a link to nothing."""
    head = _head_of(path) if path.exists() else b""
    return head is not None and (not head or any(all(mark in head for mark in marks) for marks in _MARKS))


def _head_of(path: Path) -> bytes | None:
    """The first bytes of a file; None: it is none, or can't be read."""
    try:
        with files.open_regular(path) as file:
            return file.read(_HEAD)
    except (OSError, ValueError):
        return None


def _text_of(kind: str, ledger: OpenLedger, report: Report, folder: Path | None = None) -> str:
    """The report as one document of its kind, with paths from `folder`, or from here."""
    folder = folder or Path.cwd()
    if kind == "json":
        return text_of(report.as_json()) + "\n"
    if kind == "html":
        from veopipe.report import html  # with a template engine

        return html.render(ledger, report, folder, now())
    from veopipe.report import cards, junit, markdown

    shown = cards.make_cards(ledger.project, report, folder)
    return junit.render(report.manifest, shown) if kind == "junit" else markdown.render(report, shown)


def _write(output: Path, text: str) -> None:
    with files.writing(printable(str(output))):
        files.replace(output.absolute(), text.encode("utf-8", "replace"))
