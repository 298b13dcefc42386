"""A shot list from a table: CSV rows become shots, without guessing.

The first row names the columns: `id`, and keys of the manifest (`prompt`, `seconds`, `seed`, …). A column of another
name is an error, unless the caller names it as one to ignore, or as one of the user's own, which goes into `info` as
text. Several pictures or tags in one cell are separated by `;`. Empty cells are left out, so `defaults` can be added
afterwards. The manifest's own rules judge the values.
"""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from veopipe import files
from veopipe.documents import schema, standins
from veopipe.errors import UsageError
from veopipe.text import printable

LARGEST = 64 << 20
"""Bytes; 100,000 shots with prompts of 500 characters."""

_NAMED = 100  # columns that a message names; a table made by hand has fewer
_LISTS = frozenset({"reference_images", "tags"})
_NUMBERS = frozenset({"seconds", "seed", "take"})
# Some programs write 8 as 8.0, or 8,00; three zeros are thousands: 42,000.
_WHOLE = re.compile(r"(\d{1,11})(?:[.,]0{1,2})?", re.ASCII)

# Excel's own line before the first row: it names the separator, and other programs keep it as a row.
_SEPARATOR_LINE = re.compile(r'\s*("?)sep=(\\t|[^\w\n" ])\1[,;\t ]*$', re.IGNORECASE | re.MULTILINE)
_QUOTED = re.compile(r'"[^"]*"')
_QUOTING = 'a text with quotes in it stands in quotes, and has its own ones twice: id,"""Hello"" she says"'


def read_shots(
    path: Path, known: Mapping[str, Any], ignored: Collection[str] = frozenset(), own: Collection[str] = frozenset()
) -> dict[str, dict[str, Any]]:
    """The shots of a CSV file, by id, in order.

    Args:
        path: UTF-8, with or without a byte order mark, or UTF-16 with one. Cells are separated by comma, semicolon
            or tab, or as its line `sep=` says.
        known: the manifest's keys of a shot.
        ignored: names of columns that are left out.
        own: names of columns that become keys of `info`, as text.

    Raises:
        UsageError: it can't be read, has no `id` column, an unknown column, or an id twice.
    """
    text, delimiter = _separated(_text(path))
    rows = _rows(path, text, delimiter)
    header = _header(rows)
    where = f"{path}:{max(1, rows.line_num)}"
    _check_chosen(where, header, ignored, "ignored")
    _check_chosen(where, header, own, "taken into `info`")
    columns = [name for name in header if name not in ignored]
    _check_id(where, columns, known)
    _check_columns(where, columns, {*known, *own})
    shots: dict[str, dict[str, Any]] = {}
    for cells in rows:
        if any(cell.strip() for cell in cells):
            where = f"{path}:{rows.line_num}"
            _check_row(where, header, cells)
            if "" not in ignored:
                _check_named(where, header, cells)
            row = {name: cell for name, cell in zip(header, cells, strict=False) if name not in ignored}
            _add(where, row, shots, own)
    if not shots:
        raise UsageError(f"{path} has no row below its header")
    return shots


def _text(path: Path) -> str:
    try:
        data = files.read_bounded(path, LARGEST)
        if (found := standins.of_bytes(data)) is not None:
            raise UsageError(f"{path}: {found}")
        # Excel's "Unicode text" is UTF-16 with a byte order mark.
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        return text.replace("\r\n", "\n").replace("\r", "\n")  # spreadsheets write all three
    except UnicodeDecodeError:
        raise UsageError(f"{path} isn't UTF-8; save it as CSV UTF-8") from None
    except ValueError as error:
        raise UsageError(f"{path} {error}") from None
    except OSError as error:
        away = standins.of(path)
        raise UsageError(f"{path}: {away}" if away else f"{path} can't be read: {error.strerror}") from None


def _separated(text: str) -> tuple[str, str]:
    """The text, and what separates its cells. A line `sep=` is left empty, so that lines count as in the file."""
    said = _SEPARATOR_LINE.match(text)
    if said is not None:
        return "\n" * said[0].count("\n") + text[said.end() :], said[2].replace("\\t", "\t")
    lines = (_QUOTED.sub("", line) for line in io.StringIO(text) if line.strip(",;\t \n"))
    first = next(lines, "")
    return text, max(",;\t", key=first.count)


def _rows(path: Path, text: str, delimiter: str) -> Any:
    """A reader of the rows; it has been tried on all of them.

    A blank before a quote isn't part of the text, unless the quotes aren't around all of it: `, "Hello" she says,`.
    """

    def reader(*, skips_blanks: bool) -> Any:
        return csv.reader(io.StringIO(text), delimiter=delimiter, strict=True, skipinitialspace=skips_blanks)

    rows = reader(skips_blanks=True)
    try:
        for _ in rows:
            pass
        return reader(skips_blanks=True)
    except csv.Error as error:
        fault = UsageError(f"{path}:{rows.line_num}: this is no CSV: {error}", hint=_QUOTING)
    with suppress(csv.Error):
        if not any(_is_half_quoted(cell) for cells in reader(skips_blanks=False) for cell in cells):
            return reader(skips_blanks=False)
    raise fault


def _is_half_quoted(cell: str) -> bool:
    """Whether a cell is most likely one half of a text in quotes behind a blank: ` "a cat`."""
    return cell[:1] == " " and cell.lstrip(" ")[:1] == '"' and cell.count('"') % 2 == 1


def _header(rows: Iterable[list[str]]) -> list[str]:
    """The first row that isn't blank, without empty cells at its end."""
    header = next(([cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)), [])
    while header and not header[-1]:
        header.pop()
    return header


def _check_chosen(where: str, header: list[str], chosen: Collection[str], how: str) -> None:
    """Refuse an option that names a column which isn't there, or can't be treated so."""
    missing = [name for name in chosen if name not in header]
    if missing:
        raise UsageError(
            f"{where}: no column is called {_listed(missing)}, so it can't be {how}",
            hint=f"columns are: {_listed(header)}",
        )
    if "id" in chosen:
        raise UsageError(f"{where}: the column id names the shots: it can't be {how}")


def _check_id(where: str, columns: list[str], known: Mapping[str, Any]) -> None:
    if "id" not in columns:
        close = next((name for name in columns if name.casefold() == "id"), None)
        found = f"; {close} is written id" if close else "; the first row names the columns"
        raise UsageError(f"{where}: no column is called id{found}", hint=f"columns are: id, {', '.join(known)}")


def _check_columns(where: str, columns: list[str], known: Collection[str]) -> None:
    names = list(dict.fromkeys(filter(None, columns)))
    unknown = [name for name in names if name not in {"id", *known}]
    if unknown:
        raise UsageError(
            "\n".join(f"{where}: {sentence}" for sentence in _about(unknown)),
            hint=f"one that is to be kept: --info NAME; those that aren't meant for the list: {_ignoring(unknown)}",
        )
    twice = [name for name in names if columns.count(name) > 1]
    if twice:
        raise UsageError(f"{where}: a column is there twice", hint=f"it is {_listed(twice)}")


def _about(unknown: list[str]) -> list[str]:
    """Sentences about columns that aren't keys: one for each whose key can be guessed, one for all others."""
    settings = schema.part("manifest", "$defs", "settings")
    said = {name: schema.unknown_key(settings, name, (name,)).message for name in unknown[:_NAMED]}
    others = [name for name, sentence in said.items() if "; the keys are " in sentence]
    if len(others) > 1:
        said[others[0]] = f"there are no keys {_listed(others)}; the keys are {', '.join(settings['properties'])}"
    return [sentence for name, sentence in said.items() if name not in others[1:]]


def _listed(names: Iterable[str]) -> str:
    names = [f"`{printable(name, 60)}`" for name in names]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")


def _ignoring(names: list[str]) -> str:
    """The options that leave these columns out, as people type them."""
    return " ".join(f"--ignore {printable(shlex.quote(name), None)}" for name in names[:_NAMED])


def _check_row(where: str, header: list[str], cells: list[str]) -> None:
    """Refuse a row with too many cells: a text with a separator in it would be cut off. A row may end early."""
    if any(cell.strip() for cell in cells[len(header) :]):
        raise UsageError(
            f"{where}: the row has {len(cells)} cells, the first row has {len(header)}",
            hint='a text with the separator in it needs quotes: id,"a cat, asleep"',
        )


def _check_named(where: str, header: list[str], cells: list[str]) -> None:
    """Refuse a cell in a column without a name: it would be lost. An empty column is fine."""
    for number, (name, cell) in enumerate(zip(header, cells, strict=False), 1):
        if not name and cell.strip():
            raise UsageError(
                f"{where}: column {number} has no name, but a cell here",
                hint="write its name into the first row, or leave columns without a name out: --ignore ''",
            )


def _add(where: str, row: dict[str, str], shots: dict[str, dict[str, Any]], own: Collection[str]) -> None:
    shot = row.pop("id", "").strip()
    if not shot:
        raise UsageError(f"{where}: the row has no id")
    if shot in shots:
        raise UsageError(f"{where}: the id {printable(shot)!r} is there twice")
    cells = {name: cell.strip() for name, cell in row.items() if cell.strip()}
    shots[shot] = {key: _value(key, cell) for key, cell in cells.items() if key not in own}
    if info := {name: cell for name, cell in cells.items() if name in own}:
        shots[shot]["info"] = info


def _value(key: str, cell: str) -> Any:
    if key in _LISTS:
        return [part.strip() for part in cell.split(";") if part.strip()]
    whole = _WHOLE.fullmatch(cell) if key in _NUMBERS else None
    return int(whole[1]) if whole else cell
