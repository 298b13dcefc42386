"""How things look on a terminal. This package is the only one that knows rich.

Results go to stdout; progress, questions and notes go to stderr. Nothing here decides anything, and a
terminal that takes nothing never stops a run.
"""
