"""Files that travel with veopipe: schemas, pipelines, profiles.

By path, as an installed package lies on disk: `importlib.resources` loads for 4 ms what reads a zip, too.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def folder(name: str) -> Path:
    """A folder that is installed inside the package, and in a checkout may lie beside it."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name
