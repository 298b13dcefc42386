"""The real command with shorter waits: module constants are set before it runs.

    python hurried.py creation.ANSWER_WAIT=1 settling.KEPT_FOR=4 -- run shots.yaml …

A script, not a test: it runs in a process of its own. A constant that doesn't exist, or that isn't a number of
seconds, is an error, so that a renamed one can't be hurried in vain.
"""

from __future__ import annotations

import importlib
import sys

from veopipe.__main__ import main

if __name__ == "__main__":
    cut = sys.argv.index("--")
    for word in sys.argv[1:cut]:
        place, _, seconds = word.partition("=")
        name, _, constant = place.rpartition(".")
        module = importlib.import_module(f"veopipe.{name}")
        if not isinstance(getattr(module, constant), float):
            raise TypeError(f"{place} is no number of seconds")
        setattr(module, constant, float(seconds))
    sys.argv = ["veopipe", *sys.argv[cut + 1 :]]
    main()
