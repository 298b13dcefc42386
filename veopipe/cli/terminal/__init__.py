"""How things look on a terminal. This package is the only one that knows rich.

Results go to stdout, everything that comes and goes to stderr. Nothing here decides anything, and a
terminal that can't be written to never stops a run.
"""
