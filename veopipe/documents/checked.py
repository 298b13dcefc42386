"""A file of the tool's own, such as a lock or what a page saved: read, and checked by its schema, with places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from veopipe.documents import schema, yaml
from veopipe.documents.nodes import plain
from veopipe.documents.problems import Findings
from veopipe.errors import InvalidInput
from veopipe.text import counted


def load(name: str, path: Path, where: str, *, shown_as: str | None = None) -> Any:
    """The value that a file holds. JSON is YAML, so that errors have their places.

    Args:
        name: of the schema that describes it, one of `schema.NAMES`.
        path: the file.
        where: what people are told of the errors' number: "in the lock of a cut".
        shown_as: the file's name in problems; default: `path` as given.

    Raises:
        InvalidInput: it can't be read, or isn't as described.
    """
    document, findings = yaml.load(path, shown_as=shown_as), Findings()
    value: Any = None
    if document.root is not None:
        value = plain(document.root)
        for finding in schema.check(name, value):
            findings.add(finding, finding.place(document.file, document.root))
    problems = (*document.problems, *findings.problems(()))
    if problems:
        raise InvalidInput(f"{counted(len(problems), 'error')} {where}", problems)
    return value
