"""Cases of a kind: a few show it in every run, all of them in the slow one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def cases(names: str | tuple[str, ...], values: Iterable[Any], *, quick: int = 2, ids: Any = None) -> Any:
    """As `pytest.mark.parametrize`; those after the first `quick` values have the mark `slow`."""
    several, found = not isinstance(names, str), list(values)
    rest = [pytest.param(*(value if several else (value,)), marks=pytest.mark.slow) for value in found[quick:]]
    return pytest.mark.parametrize(names, found[:quick] + rest, ids=ids)
