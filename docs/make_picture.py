"""Make `docs/run.svg`, the README's picture: a rehearsal that is killed, and the same command again.

    python docs/make_picture.py [FILE]

What it shows is what veopipe really printed on a terminal of its own (a pty). The SVG loads nothing: rich's
template without its fonts from a server.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shutil
import signal
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

HERE = Path(__file__).parent
COMMAND = ("veopipe", "run", "shots.yaml", "--simulate")
WIDTH = 92
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
BLACK, RED, GREEN, YELLOW = (40, 44, 52), (240, 98, 98), (126, 211, 133), (240, 198, 116)
BLUE, MAGENTA, CYAN, WHITE = (110, 168, 254), (214, 140, 240), (86, 200, 216), (200, 204, 212)
COLOURS = [BLACK, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE]
THEME = TerminalTheme((24, 27, 34), (214, 218, 226), COLOURS, COLOURS)


_TOKEN = re.compile(r"\x1b\[(?P<number>[0-9;?]*)(?P<what>[A-Za-z])|(?P<control>[\r\n])|(?P<text>[^\x1b\r\n]+|\x1b)")


def screen(said: str) -> str:
    """What is left on the terminal after `said`: a live view is drawn over itself again and again.

    Knows what rich uses: line feed, carriage return, cursor up, erase line; colours stay in the text.
    """
    lines, row = [""], 0
    for token in _TOKEN.finditer(said):
        if token["control"] == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif token["what"] == "A":
            row = max(row - int(token["number"] or 1), 0)
        elif token["what"] == "K":
            lines[row] = ""
        elif token["what"] == "m" or token["text"]:
            lines[row] += token[0]
    return "\n".join(lines).rstrip()


def on_a_terminal(folder: Path, kill_when: Callable[[str], bool] = lambda _: False) -> str:
    """What a rehearsal in `folder` prints on a terminal, killed (SIGKILL) as soon as `kill_when` says so."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(WIDTH)}
        os.execve(sys.executable, [sys.executable, "-m", *COMMAND], environment)
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, WIDTH, 0, 0))
    said = b""
    try:
        while chunk := os.read(terminal, 65536):
            said += chunk
            if kill_when(screen(said.decode("utf-8", "replace"))):
                time.sleep(0.3)
                os.kill(child, signal.SIGKILL)
    except OSError:
        pass  # Linux: the other end of the terminal is closed
    os.close(terminal)
    os.waitpid(child, 0)
    return screen(said.decode("utf-8"))


def session() -> list[Text]:
    """Both runs, as a person would see them."""
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film"
        shutil.copytree(HERE.parent / "examples", film, ignore=shutil.ignore_patterns("renders", ".veopipe"))
        shots = (film / "shots.yaml").read_text("utf-8").count("\n    prompt:")
        killed = on_a_terminal(film, lambda said: said.count("rendering") >= shots)
        again = on_a_terminal(film)
    if f"{shots} verified" not in again or "this run $0.00" not in again:
        raise SystemExit(f"this run isn't worth a picture:\n{killed}\n{again}")
    prompt = Text.assemble(("$ ", "bold green"), (" ".join(COMMAND), "bold"))
    note = Text("# every clip is ordered and paid for; now kill -9, and the same command again", "dim italic")
    return [
        prompt,
        Text.from_ansi(killed.rstrip("\n")),
        note,
        Text("Killed"),
        prompt,
        Text.from_ansi(again.rstrip("\n")),
    ]


def as_svg(lines: list[Text]) -> str:
    """A terminal window with these lines, as an SVG that loads nothing."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in lines:
        console.print(line, soft_wrap=True)
    template = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    template = re.sub(r"<!--.*?-->", "", template, flags=re.DOTALL).replace("Fira Code, monospace", FONTS)
    svg = console.export_svg(title="veopipe", theme=THEME, code_format=template, unique_id="run")
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


if __name__ == "__main__":
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "run.svg"
    file.write_text(as_svg(session()), "utf-8")
