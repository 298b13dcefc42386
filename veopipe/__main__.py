"""`python -m veopipe` and the installed command."""

from __future__ import annotations

import sys

from veopipe.cli import main as run_command_line


def main() -> None:
    """Run the command line and exit with its code. A character that the terminal lacks never ends a run."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
