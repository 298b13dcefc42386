"""What people see: the live view, the plan, problems with their source; on real terminals of several widths."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.harness.breadth import cases
from veopipe.cli.terminal.problems import MOST_FRAMES, show_problems
from veopipe.errors import Problem

SCENES = Path(__file__).parents[1] / "harness" / "terminal_scenes.py"
VEOPIPE = [sys.executable, "-m", "veopipe"]
SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"
LIMIT = 60.0
_PARTS = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|(.)", re.DOTALL)


class Terminal:
    """A program on a terminal of its own, and what stands on it: enough of a terminal for what rich writes."""

    def __init__(self, command, columns, rows=24, folder=None, **environment):
        self.columns = columns
        self.output = ""
        us, them = pty.openpty()
        fcntl.ioctl(them, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR")}
        self.process = subprocess.Popen(
            command,
            stdin=them,
            stdout=them,
            stderr=them,
            cwd=folder,
            env={**kept, "TERM": "xterm-256color", **environment},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(them)
        self._us = us

    def read(self, until=None):
        """Read to the end, or until words come."""
        end = time.monotonic() + LIMIT
        while until is None or until not in self.output:
            assert time.monotonic() < end, self.output
            if not select.select([self._us], [], [], 1)[0]:
                continue
            try:
                got = os.read(self._us, 65536)
            except OSError:  # Linux: nobody writes any more
                break
            if not got:
                break
            self.output += got.decode("utf-8", "replace")
        return self

    def press(self, keys):
        os.write(self._us, keys)

    def end(self):
        """Read to the end; the exit code."""
        self.read()
        os.close(self._us)
        return self.process.wait(LIMIT)

    @property
    def lines(self):
        """What stands on the screen, scrolled lines included."""
        screen, row, column = [""], 0, 0
        for codes, letter, character in _PARTS.findall(self.output):
            if character == "\n":
                row += 1
            elif character == "\r":
                column = 0
            elif letter == "A":
                row -= int(codes or 1)
            elif letter == "K":
                screen[row] = ""
            elif character:
                if column + cell_len(character) > self.columns:  # the terminal's own line break
                    row, column = row + 1, 0
                while len(screen) <= row:
                    screen.append("")
                screen[row] = screen[row][:column].ljust(column) + character + screen[row][column + 1 :]
                column += cell_len(character)
            while len(screen) <= row:
                screen.append("")
        return [line.rstrip() for line in screen]

    @property
    def text(self):
        return "\n".join(self.lines)


def scene(name, number, columns=120, **environment):
    terminal = Terminal([sys.executable, str(SCENES), name, str(number)], columns, **environment)
    assert terminal.end() == 0, terminal.output
    assert max(map(cell_len, terminal.lines)) <= columns
    return terminal


# --- the live view ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("columns", [40, 70, 120])
@pytest.mark.parametrize("number", [4, 500])
def test_the_live_view_fits_the_terminal_and_says_what_matters(columns, number):
    lines = scene("flights", number, columns).lines
    view = [line for line in lines if re.match("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] SC", line)]
    foot = "\n".join(lines[lines.index(view[-1]) :])
    assert 0 < len(view) <= 24
    assert "━" in foot
    assert f"3 of {number + 3:,}" in foot
    for words in ("1 in doubt", "1 verified", "1 failed", f"{number:,} in flight", "possibly $0.60", "left of the cap"):
        assert words in foot
    assert all(re.search(r" (rendering|rendered) +0:\d\d( |$)", line) for line in view)
    if number == 500:
        hidden = re.search(r"… and (\d+) more under way", foot)
        assert int(hidden[1]) + len(view) == 500
        assert len(lines) - lines.index(view[0]) <= 24


def test_a_shot_in_flight_shows_status_time_time_left_and_bytes():
    text = scene("flights", 4).text
    assert re.search(r"SC003-\S+ rendering +0:00 40 %  (about +0:0\d left|longer than usual)", text)
    assert re.search(r"SC004-\S+ rendered +0:00 2\.5 MB of 10\.0 MB", text)
    assert "the gateway asks for a pause of 20 s" in text


def test_a_take_that_is_tried_again_ends_once_in_the_sum():
    foot = scene("tried_again", 0).lines
    assert any(line.startswith("2 of 2  2 verified  0 in flight") for line in foot), foot


def test_what_ended_stands_above_the_live_view_with_its_reason():
    lines = scene("flights", 4).lines
    ended = [n for n, line in enumerate(lines) if re.search(r"0:00  SC00[012]", line)]
    assert [lines[n].split()[2] for n in ended] == ["in", "verified", "failed"]
    assert "the server is out of film" in lines[ended[2]]
    assert ended[-1] < next(n for n, line in enumerate(lines) if "rendering" in line)


def test_without_colour_nothing_is_coloured():
    coloured, plain = scene("flights", 4), scene("flights", 4, NO_COLOR="1")
    colours = re.compile(r"\x1b\[(?:\d;)?(?:3[0-7]|9[0-7]|38;)")
    assert colours.search(coloured.output)
    assert not colours.search(plain.output)


def test_quietly_only_what_needs_a_person_is_shown():
    lines = [line for line in scene("quiet", 4).lines if line]
    assert len(lines) == 1
    assert "in doubt" in lines[0]


def test_verbosely_every_step_scrolls():
    text = scene("verbose", 4).text
    for words in ("submitting", "polled", "received", "downloaded", "waiting"):
        assert words in text


@pytest.mark.parametrize("name", ["flights", "verbose"])
def test_elsewhere_than_on_a_terminal_every_change_is_one_whole_line_with_its_time(name):
    command = [sys.executable, str(SCENES), name, "4"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "40"}, check=True)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert all(re.match(r"2026-11-22T06:00:00Z  SC00\d-\S+ +[a-z]", line) for line in lines)
    assert not re.search(r"[\x1b\r…]| $", done.stderr, re.MULTILINE)
    assert sum("submitting" in line for line in lines) == 7
    assert sum("in doubt" in line and line.endswith("after the request was sent") for line in lines) == 1
    assert any("polled" in line for line in lines) == (name == "verbose")


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_gives_the_cursor_back(film, times):
    film.list({f"s{n}": f"x{n} [simulate: slow_create]" if n == 5 else f"x{n}" for n in range(9)})
    film.pipeline(poll__interval="30s")
    command = [*VEOPIPE, *film.arguments()[:4], "--base-url", film.base_url, "--yes"]
    terminal = Terminal(command, 80, folder=film.folder, **{**film.environment, "COLUMNS": "80"})
    terminal.read(until="in flight")
    for _ in range(times):
        terminal.press(b"\x03")
    code = terminal.end()
    assert code == 128 + signal.SIGINT, terminal.text
    assert HIDE_CURSOR in terminal.output
    assert terminal.output.rindex(SHOW_CURSOR) > terminal.output.rindex(HIDE_CURSOR)
    assert "Traceback" not in terminal.output


# --- the plan --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
def test_a_plan_fits_the_terminal_and_leaves_nothing_out(columns):
    terminal = scene("plan", 3, columns)
    text = " ".join(terminal.text.split())
    assert max(map(cell_len, terminal.lines)) <= columns
    assert "…" not in text
    assert text.replace(" ", "").count("SC001-a-shot-of-the-lighthouse-at-dusk") == 1
    assert ("sc-" + "x" * 61) in text.replace(" ", "") or columns == 120  # there its two parts stand in a column
    assert text.count("text fast 1080p 16:9 8 s") == 6
    assert text.count("$0.30") == 5
    assert "4 to create, 1 to keep, 1 to hold" in text
    assert "sorry" in text


def test_a_plan_shows_what_is_in_doubt_first_and_what_is_bought_again_second():
    lines = scene("plan", 3, 80).lines
    assert lines[0] == "lost: in doubt since yesterday; look it up"
    assert lines[1] == "1 shot was already bought; this buys it again: $0.30 (prompt changed)"
    assert lines[2].strip() == "again"


@pytest.mark.parametrize("number", [3, 600])
def test_a_plan_in_a_pipe_is_one_line_a_shot(number):
    done = subprocess.run(
        [sys.executable, str(SCENES), "plan", str(number)], capture_output=True, text=True, check=True
    )
    rows = [line for line in done.stdout.splitlines() if line.startswith("SC")]
    assert len(rows) == number
    assert all(re.search(r"  create  \$0\.30  new$", row) for row in rows)
    assert "sorry" in done.stdout
    assert "\x1b" not in done.stdout


# --- the report ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_report_fits_the_terminal_and_begins_with_what_needs_a_person(columns):
    terminal = scene("report", 3, columns)
    text = " ".join(terminal.text.split())
    assert terminal.lines[0].startswith("1 in doubt")
    order = ("1 in doubt", "lost", "1 mismatched", "wrong", "3 rendering", "SC002", "verified", "fine", "charged $0.60")
    assert sorted(map(text.index, order)) == [text.index(words) for words in order]
    assert "before the connection was cut" in text
    assert "1920x1080 8.00 s" in text
    words = set(terminal.text.split())
    assert {"renders/shots/fine.mp4", "1280x720,", "connection"} <= words  # nothing is broken in its middle


def test_a_report_of_hundreds_under_way_names_the_first_ones():
    lines = scene("report", 500, 80).lines
    assert len(lines) < 24
    assert any("… 488 more" in line for line in lines)


# --- hints -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [30, 50, 80])
def test_a_command_is_never_broken_by_us_however_narrow_the_terminal_is(columns):
    """So that it can be copied: a terminal that folds a line knows that it is one."""
    for name in ("plan", "report"):
        assert "veopipe resolve shots.yaml\r\n" in re.sub(r"\x1b\[[0-9;]*m", "", scene(name, 3, columns).output)


def test_a_note_with_a_command_stands_in_one_piece_on_a_narrow_terminal(film):
    film.list({"a": "one"})
    command = [*VEOPIPE, "plan", "shots.yaml", "-p", "quick.yaml", "--base-url", film.base_url, "-o", "my plan.json"]
    terminal = Terminal(command, 50, folder=film.folder, **film.environment | {"COLUMNS": "50"})
    assert terminal.end() == 0
    run = f"veopipe run shots.yaml -p quick.yaml --base-url {film.base_url} --plan 'my plan.json'\r\n"
    assert f"carry it out with:\r\n  {run}" in terminal.output


# --- problems --------------------------------------------------------------------------------------------


def shown(capsys, line, column, *, name="list.yaml", message="wrong"):
    """The source line and the caret line, as printed where there is no terminal."""
    Path(name).write_text(f"first\n{line}\n", "utf-8")
    show_problems([Problem(name, 2, column, "error", "some-rule", message)], stderr=False)
    head, source, caret = capsys.readouterr().out.splitlines()
    assert head == f"{name}:2:{column}: error: {message} [some-rule]"
    return source.partition(" | ")[2], caret.partition(" | ")[2]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("line", "shown_as"),
    [
        pytest.param("  seconds: @5", "  seconds: @5", id="plain"),
        pytest.param("a: {prompt: 灯台と海, seconds: @5}", "a: {prompt: 灯台と海, seconds: @5}", id="wide"),
        pytest.param("a: {prompt: '🌅 x', seconds: @5}", "a: {prompt: '🌅 x', seconds: @5}", id="emoji"),
        pytest.param("a: {prompt: e\u0301, seconds: @5}", "a: {prompt: e\u0301, seconds: @5}", id="combining"),
        pytest.param('a: "\tx": @5', 'a: "\\tx": @5', id="tab"),
        pytest.param('a: "\x1b[31mx": @5', 'a: "\\u001b[31mx": @5', id="escape"),
        pytest.param('a: "\u202ex": @5', 'a: "\\u202ex": @5', id="right-to-left"),
        pytest.param("k: sk-abcdefghijklmnop, seconds: @5", "k: sk-…, seconds: @5", id="key"),
    ],
)
def test_the_caret_stands_below_the_value(here, capsys, line, shown_as):
    source, caret = shown(capsys, line.replace("@", ""), line.index("@") + 1)
    assert source == shown_as.replace("@", "")
    assert caret == " " * cell_len(shown_as[: shown_as.index("@")]) + "^"


@cases("filler", ["a", "灯", "\x1b"], ids=["narrow", "wide", "escaped"])
@pytest.mark.parametrize("at", [0, 30, 500, 9_990])
def test_of_a_long_line_the_part_around_the_value_is_shown(here, capsys, filler, at):
    line = filler * at + "@5" + filler * (10_000 - at)
    source, caret = shown(capsys, line, at + 1)
    assert cell_len(source) <= 120
    assert source.endswith("…") or at == 9_990
    assert source.startswith("…") == (at > 30 or (at == 30 and filler != "a"))
    before = source[: source.index("@")]
    assert caret == " " * cell_len(before) + "^"


def test_a_key_that_is_cut_at_the_edge_stays_hidden(here, capsys):
    key = "sk-" + "k" * 60
    line = f"{'a' * 50} {key} {'b' * 20} @5 {'c' * 30} {key} {'d' * 99}"
    source, _ = shown(capsys, line, line.index("@") + 1)
    assert "kk" not in source


def test_a_byte_order_mark_moves_no_caret(here, capsys):
    Path("list.yaml").write_bytes("\ufeffseconds: 5\n".encode())
    show_problems([Problem("list.yaml", 1, 10, "error", "r", "wrong")], stderr=False)
    assert capsys.readouterr().out.splitlines()[1:] == ["    1 | seconds: 5", "      |          ^"]


def test_problems_stand_file_by_file(here, capsys):
    found = [Problem(f"{name}.yaml", n, 1, "error", "r", "wrong") for n in (1, 2) for name in ("b", "a")]
    show_problems(found, stderr=False)
    heads = [line.partition(": ")[0] for line in capsys.readouterr().out.splitlines()]
    assert heads == ["b.yaml:1:1", "b.yaml:2:1", "a.yaml:1:1", "a.yaml:2:1"]


def test_a_file_that_cant_be_shown_is_named_all_the_same(here, capsys):
    Path("latin.yaml").write_bytes(b"\xe9\n")
    names = ("gone.yaml", "default.yaml (built in)", "latin.yaml", ".")
    show_problems([Problem(name, 1, 1, "error", "r", "wrong") for name in names], stderr=False)
    assert [line.partition(":1:1: ")[0] for line in capsys.readouterr().out.splitlines()] == list(names)


def test_thousands_of_problems_are_lines_without_source(here, capsys):
    Path("a.yaml").write_text("x\n" * 1_000)
    show_problems([Problem("a.yaml", n, 1, "error", "r", "wrong") for n in range(1, 1_001)], stderr=False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1_000 + 2 * MOST_FRAMES


@pytest.mark.parametrize("columns", [40, 70, 120])
def test_on_a_terminal_the_sentence_breaks_between_words_and_no_line_is_too_long(tmp_path, columns):
    shot = "{prompt: 灯台と海、夕焼けの中で 🌅, seconds: 8, notes: a note that is long enough, resolution: 4K}"
    text = f"version: 1\ndefaults: {{model: veo-3.1-generate-preview}}\nshots:\n  a: {shot}\n  b: {shot}\n"
    (tmp_path / "list.yaml").write_text(text)
    terminal = Terminal([*VEOPIPE, "validate", "list.yaml"], columns, folder=tmp_path)
    assert terminal.end() == 2
    plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.output).splitlines()
    assert max(map(cell_len, plain)) <= columns  # before the terminal breaks any itself
    assert " ".join(" ".join(plain).split()).count('this is "4K": did you mean 4k? [resolution-values]') == 2
    carets = [plain[n - 1][: line.index("^")] for n, line in enumerate(plain) if line.strip(" |") == "^"]
    assert len(carets) == 3
    for n, line in enumerate(plain):
        if line.strip(" |") == "^" and "4K" in plain[n - 1]:
            assert cell_len(plain[n - 1].partition("4K")[0]) == line.index("^")


@pytest.mark.parametrize("command", ["plan", "run"])
def test_other_commands_show_the_source_of_an_error_too(film, command):
    film.list({"a": {"prompt": "x", "seconds": 5}})
    done = film.command(command, "shots.yaml")
    assert done.code == 2
    assert "[seconds-values]" in done.err
    assert re.search(r"\n +\d+ \| +\"seconds\": 5\n +\| +\^\n", done.err)
    assert done.err.endswith("Error: 1 error: nothing was sent\n")


# --- problems for GitHub ---------------------------------------------------------------------------------


def unescaped(text):
    for code, character in (("%0A", "\n"), ("%0D", "\r"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, character)
    return text


def test_github_gets_one_workflow_command_for_each_problem(film):
    """As Actions reads it: `::kind key=value,key=value::message`, `%`, line ends, and in values `:` `,` escaped."""
    name = "100%,a:b.yaml"
    film.list({"a": {"prompt": "x", "seconds": 5}, "b": {"prompt": "y", "tags": ["z" * 65]}}, name=name)
    done = film.command("validate", name, "--format", "github")
    expected = {(p["file"], p["line"], p["column"], p["rule"], p["message"]) for p in problems(film, name)}
    lines = done.out.splitlines()
    assert done.code == 2
    assert len(lines) == len(expected) == 4
    seen = set()
    for line in lines:
        kind, message = re.fullmatch(r"::(?P<head>(?:error|notice|warning) [^:]*)::(.*)", line).groups()
        values = dict(pair.split("=", 1) for pair in kind.partition(" ")[2].split(","))
        place = (unescaped(values["file"]), int(values["line"]), int(values["col"]), unescaped(values["title"]))
        seen.add((*place, unescaped(message)))
    assert seen == expected


def problems(film, name):
    return film.command("validate", name, "--format", "json").document["problems"]
