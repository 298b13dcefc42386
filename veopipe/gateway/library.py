"""httpx without its command line, which nobody here runs: loading it takes 15 ms and 2.5 MB of each run."""

from __future__ import annotations

import sys

_COMMAND_LINE = "httpx._main"

# None in a module's place lets its import fail, and httpx does without this one.
_is_in_the_way = sys.modules.setdefault(_COMMAND_LINE, None) is None  # type: ignore[arg-type]
import httpx as httpx  # noqa: E402

if _is_in_the_way:
    del sys.modules[_COMMAND_LINE]
