"""What a command leaves on stdout with `--format json`: one document, and nothing else.

Source: docs/design.md, 7.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import click


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether stdout must be a document, even if the rest of the line can't be understood."""
    return "--format=json" in arguments or ("--format", "json") in itertools.pairwise(arguments)


def text_of(document: Mapping[str, Any]) -> str:
    """A document as text, without a line end."""
    return json.dumps(document, indent=2)


def emit(document: Mapping[str, Any]) -> None:
    """Write a document to stdout.

    Raises:
        OSError: stdout takes nothing.
    """
    click.echo(text_of(document))


def emit_line(document: Mapping[str, Any]) -> None:
    """Write a document to stdout, all of it on one line.

    Raises:
        OSError: stdout takes nothing.
    """
    click.echo(json.dumps(document))
