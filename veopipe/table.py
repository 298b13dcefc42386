"""A shot list from a table: CSV rows to a manifest, without guessing.

The first row names the columns: `id`, and keys of the manifest (`prompt`, `seconds`, `seed`, …). Several
pictures or tags in one cell are separated by `;`. Empty cells are left out, so `defaults` can be added
afterwards. Whether the values are right is the manifest's business.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from veopipe import files, schema
from veopipe.errors import UsageError
from veopipe.wording import printable

LARGEST = 64 << 20
"""Bytes; 100,000 shots with prompts of 500 characters."""

_NAMED = 5  # unknown columns that a message names
_LISTS = frozenset({"reference_images", "tags"})
_NUMBERS = frozenset({"seconds", "seed", "take"})


def read_shots(path: Path, known: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The shots of a CSV file, by id, in order.

    Args:
        path: UTF-8, with or without a byte order mark; comma, semicolon or tab between cells.
        known: the manifest's keys of a shot.

    Raises:
        UsageError: it can't be read, has no `id` column, an unknown column, or an id twice.
    """
    text = _text(path)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        header = _header(rows)
        _check_header(path, rows.line_num, header, known)
        shots: dict[str, dict[str, Any]] = {}
        for cells in rows:
            if any(cell.strip() for cell in cells):
                _check_row(path, rows.line_num, header, cells)
                _add(path, rows.line_num, dict(zip(header, cells, strict=False)), shots)
    except csv.Error as error:
        raise UsageError(f"{path}:{rows.line_num}: this is no CSV: {error}") from None
    if not shots:
        raise UsageError(f"{path} has no row below its header")
    return shots


def _text(path: Path) -> str:
    try:
        text = files.read_bounded(path, LARGEST).decode("utf-8-sig")
        return text.replace("\r\n", "\n").replace("\r", "\n")  # spreadsheets write all three
    except UnicodeDecodeError:
        raise UsageError(f"{path} isn't UTF-8; save it as CSV UTF-8") from None
    except ValueError as error:
        raise UsageError(f"{path} {error}") from None
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from None


def _header(rows: Iterable[list[str]]) -> list[str]:
    """The first row that isn't blank, without what is left of empty columns at its end."""
    header = next(([cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)), [])
    while header and not header[-1]:
        header.pop()
    return header


def _check_header(path: Path, line: int, header: list[str], known: Mapping[str, Any]) -> None:
    if "id" not in header:
        close = next((name for name in header if name.casefold() == "id"), None)
        found = f"; {close} is written id" if close else "; the first row names the columns"
        raise UsageError(
            f"{path}:{max(1, line)}: no column is called id{found}", hint=f"columns are: id, {', '.join(known)}"
        )
    unknown = [name for name in header if name != "id" and name not in known]
    if unknown:
        settings = schema.part("manifest", "$defs", "settings")
        said = [schema.unknown_key(settings, name, (name,)).message for name in unknown[:_NAMED]]
        raise UsageError("\n".join(f"{path}:{line}: {sentence}" for sentence in said))
    if len(set(header)) != len(header):
        raise UsageError(f"{path}:{line}: a column is there twice")


def _check_row(path: Path, line: int, header: list[str], cells: list[str]) -> None:
    """A row may end early; one that is too long has a comma in a text, which would be cut off there."""
    if any(cell.strip() for cell in cells[len(header) :]):
        raise UsageError(
            f"{path}:{line}: the row has {len(cells)} cells, the first row has {len(header)}",
            hint='a text with the separator in it needs quotes: id,"a cat, asleep"',
        )


def _add(path: Path, line: int, row: dict[str, str], shots: dict[str, dict[str, Any]]) -> None:
    shot = row.pop("id", "").strip()
    if not shot:
        raise UsageError(f"{path}:{line}: the row has no id")
    if shot in shots:
        raise UsageError(f"{path}:{line}: the id {printable(shot)!r} is there twice")
    shots[shot] = {key: _value(key, cell.strip()) for key, cell in row.items() if cell.strip()}


def _value(key: str, cell: str) -> Any:
    if key in _LISTS:
        return [part.strip() for part in cell.split(";") if part.strip()]
    return int(cell) if key in _NUMBERS and cell.isascii() and cell.isdigit() and len(cell) < 12 else cell
