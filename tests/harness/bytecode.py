"""Byte code, made once for all processes that tests start: where nothing may be written, each would compile anew.

Continuous integration often sets `PYTHONDONTWRITEBYTECODE`. A command that starts from nothing then spends a third of
its time on compiling what the one before it compiled.
"""

from __future__ import annotations

import compileall
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def make_once() -> None:
    """Compile the package, and let this process keep what pytest makes of the tests.

    The process that was started by hand does it, before it has any workers: they would all write the same. Where the
    checkout can't be written to, everything goes on as it did.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    if "PYTEST_XDIST_WORKER" not in os.environ:
        for folder in ("veopipe", "tests/harness"):
            compileall.compile_dir(ROOT / folder, quiet=2)
