"""The shape of the package: imports go down, each library has its owner, nothing grows too long."""

from __future__ import annotations

import ast
import functools
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "veopipe"

# Top to bottom: a room imports from the rooms of lower rows only. Each is a package or a module of `veopipe/`; inside
# a package, and in the ground, there is no circle.
LADDER = [
    ["cli"],
    ["run", "report"],
    ["project"],
    ["manifest", "film"],
    ["plan", "delivery", "pipeline"],
    ["ledger", "gateway", "profiles"],
    ["documents", "dialects"],
    ["takes"],
    ["ground"],
]
GROUND = ["errors", "text", "clock", "files", "values", "crashpoints"]
# They are opened from outside: by the system, by git, by other programs. Of our own rooms the command line alone comes
# in by the last one.
DOORS = ["__main__", "merging", "api"]

# A server of its own, which shares nothing with the client but the way to end with a sentence.
SIMULATOR = [
    ["simulator.server"],
    ["simulator.control", "simulator.dialects.videos.routes", "simulator.dialects.interactions.routes"],
    ["simulator.dialects.videos.account"],
    [
        *("simulator.gateway", "simulator.dialects.videos.mishaps", "simulator.dialects.videos.reading"),
        "simulator.dialects.interactions.mishaps",
    ],
    [
        *("simulator.delivery", "simulator.sending", "simulator.dialects.videos.rules"),
        "simulator.dialects.interactions.rules",
    ],
    [
        *("simulator.album", "simulator.book", "simulator.footage", "simulator.wire"),
        *("simulator.dialects.videos.answers", "simulator.dialects.videos.faults", "simulator.dialects.videos.form"),
        *("simulator.dialects.interactions.answers", "simulator.dialects.interactions.faults"),
        *("simulator.dialects.interactions.prices", "simulator.dialects.interactions.reading"),
    ],
    ["simulator.answers", "simulator.faults", "simulator.orders", "simulator.slate", "simulator.wirelog"],
]

OWNERS = {
    "yaml": ["documents.yaml"],
    "jsonschema": ["documents.keywords"],
    "referencing": ["documents.keywords"],
    "httpx": ["gateway."],
    "httpcore": ["gateway."],
    "pymediainfo": ["delivery.probe"],
    "obstore": ["delivery.buckets.objects"],
    "PIL": ["manifest.pictures", "film.decoder", "film.slates", "simulator."],
    "aiohttp": ["simulator."],
    "av": ["film.decoder", "film.player", "film.reel", "simulator."],
    "opentimelineio": ["film.timeline"],
    "click": ["cli."],
    "rich": ["cli.terminal."],
    "filelock": ["ledger.owner"],
    "jinja2": ["report.html"],
    "markupsafe": ["report.html"],
    "distributed": ["run.carrying.engine"],
}
PURE = [
    "takes.",
    "dialects.",
    "profiles.profile",
    "profiles.prices",
    "plan.coming",
    "plan.duration",
    "plan.plan",
    "plan.planner",
    "plan.renames",
    "plan.volume",
    "plan.words",
    "manifest.layers",
    "delivery.errand",
    "run.polling.forecast",
    "run.polling.inspection",
    "run.polling.latency",
    "run.polling.ticks",
]
SPEAKERS = ["cli."]
HEAVY = (
    *("httpx", "httpcore", "jsonschema", "pymediainfo", "rich", "yaml", "PIL", "aiohttp", "av", "jinja2"),
    *("opentimelineio", "obstore", "distributed"),
)


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Name without `veopipe.` → its tree; `__init__` files hold nothing but words (tested below)."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if not name.endswith("__init__"):
            found[name] = ast.parse(path.read_text("utf-8"))
    return found


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield child
        yield from nodes(child)


def imports(tree: ast.AST) -> Iterator[str]:
    """What a module imports, inside functions too, as dotted names."""
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "write absolute imports"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@functools.cache
def imported(name: str) -> set[str]:
    """What a module of ours imports."""
    return set(imports(modules()[name]))


@functools.cache
def used_by(name: str) -> set[str]:
    """The modules of ours that a module imports."""
    targets = [f"{target}." for target in imported(name)]
    return {other for other in modules() if any(target.startswith(f"veopipe.{other}.") for target in targets)}


def is_one_of(name: str, places: list[str]) -> bool:
    """Whether a module is among `places`; one that ends in a dot stands for a folder."""
    return any(name == place or (place.endswith(".") and name.startswith(place)) for place in places)


def room(name: str) -> str:
    """The part of a module's name that stands in the ladder."""
    first = name.partition(".")[0]
    return "ground" if first in GROUND else first


def test_every_room_has_one_row() -> None:
    listed = [name for row in LADDER for name in row]

    assert sorted([*listed, *DOORS, "simulator"]) == sorted({room(name) for name in modules()})
    assert {name.partition(".")[0] for name in modules()} >= set(GROUND)
    assert sorted(name for row in SIMULATOR for name in row) == sorted(n for n in modules() if room(n) == "simulator")


def test_a_room_imports_from_lower_rows_only() -> None:
    height = {member: number for number, row in enumerate(LADDER) for member in row}
    upward = {
        (room(name), room(other))
        for name in modules()
        for other in used_by(name)
        if room(name) != room(other)
        and {room(name), room(other)} <= height.keys()
        and height[room(other)] <= height[room(name)]
    }

    assert upward == set()


def test_no_room_goes_out_by_a_door() -> None:
    users = {(name, room(other)) for other in modules() for name in used_by(other) if name in DOORS}

    assert users == {("api", "cli")}


def test_a_module_of_the_simulator_imports_from_lower_rows_only() -> None:
    height = {member: number for number, row in enumerate(SIMULATOR) for member in row}
    upward = {
        (name, other) for name in height for other in used_by(name) if height.get(other, sys.maxsize) <= height[name]
    }

    assert upward == set()


def circles(parts: dict[str, set[str]]) -> set[str]:
    """The parts that lead round in a circle, or to one; of each it is told which others it uses."""
    rest = {name: used - {name} for name, used in parts.items()}
    while leaves := {name for name, used in rest.items() if not used & rest.keys()}:
        rest = {name: used for name, used in rest.items() if name not in leaves}
    return set(rest)


def test_no_import_leads_round_in_a_circle() -> None:
    """Follows from the rows; here by itself, so that a wrong row can't hide it."""
    assert circles({name: used_by(name) for name in modules()}) == set()


def test_nor_does_one_between_the_folders_of_a_room() -> None:
    """Each is one part, with all that lies in it: `run.creating` beside `run.settling`."""
    parts: dict[str, set[str]] = {}
    for name in modules():
        part = ".".join(name.split(".")[:2])
        parts.setdefault(part, set()).update(".".join(other.split(".")[:2]) for other in used_by(name))

    assert circles(parts) == set()


def test_the_simulator_shares_nothing_with_the_client() -> None:
    shared = {other for name in modules() if name.startswith("simulator.") for other in used_by(name)}
    users = {name for name in modules() for other in used_by(name) if other.startswith("simulator.")}

    assert {other for other in shared if not other.startswith("simulator.")} <= {"errors"}
    assert {name for name in users if not name.startswith("simulator.")} <= {
        "api",
        "cli.commands.simulate",
    }


# Words of a wire: field names, paths, status words, headers. What HTTP itself says (`Content-Length`) is none.
WIRE_WORDS = re.compile(
    r"durationSeconds|referenceImages|referenceType|aspectRatio|negativePrompt|lastFrame|generateAudio"
    r"|/v1\b|/api/log\b|new-api-user|start_timestamp|\bgenerations\b|\bqueued\b|\bin_progress\b|\bAuthorization\b|\bBearer\b|oneapi|\bcf-ray\b"
    r"|/interactions\b|:download\b|response_format|mime_type|model_output|tokens_by_modality|x-goog|FIRST_FRAME"
    r"|include_input|alt=media|API_KEY_INVALID|RESOURCE_EXHAUSTED|requires_action|budget_exceeded",
    re.IGNORECASE,
)
WIRE_ROOMS = ["dialects.", "simulator.dialects."]
# Others that hold some all the same. The camelCase keys that `schemas/` forbids are data about what people write.
WIRE_ELSEWHERE = {
    "gateway.address": "people copy addresses with a whole endpoint at the end, and are told to leave it off",
}


def spoken(tree: ast.AST) -> Iterator[str]:
    """The texts of a module, without its docstrings."""
    explained = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in explained and isinstance(node.value, str | bytes):
            yield node.value if isinstance(node.value, str) else node.value.decode("latin-1")


def test_only_dialects_know_the_words_of_a_wire() -> None:
    speakers = {name for name, tree in modules().items() if any(WIRE_WORDS.search(text) for text in spoken(tree))}

    assert {name for name in speakers if not is_one_of(name, WIRE_ROOMS)} == WIRE_ELSEWHERE.keys()
    assert speakers >= {"dialects.videos.form", "dialects.videos.jobs", "simulator.dialects.videos.rules"}
    assert speakers >= {"dialects.interactions.body", "dialects.interactions.interaction"}


def test_one_place_chooses_a_dialect() -> None:
    inside = re.compile(r"dialects\.(videos|interactions)\.")
    users = {name for name in modules() for other in used_by(name) if inside.match(other) and not inside.match(name)}

    assert {name for name in users if room(name) != "simulator"} == {"dialects.choice"}


def test_a_library_is_imported_by_its_owner_only() -> None:
    used = {(name, target.partition(".")[0]) for name in modules() for target in imported(name)}
    outside = {(name, library) for name, library in used if library not in {"veopipe", *sys.stdlib_module_names}}

    assert {(name, library) for name, library in outside if not is_one_of(name, OWNERS.get(library, []))} == set()


def test_every_owner_uses_its_library() -> None:
    used = {target.partition(".")[0] for name in modules() for target in imported(name)}

    assert used >= OWNERS.keys()


def test_pure_modules_know_neither_a_clock_nor_a_network_nor_a_disk() -> None:
    worldly = {"time", "datetime", "socket", "asyncio", "threading", "subprocess", "random", "os", "shutil", "pathlib"}
    pure = [name for name in modules() if is_one_of(name, PURE)]
    used = {(name, target.partition(".")[0]) for name in pure for target in imported(name)}

    assert len(pure) > 15
    assert {(name, library) for name, library in used if library in worldly} == set()


def test_values_are_made_in_one_place() -> None:
    makers = {
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "dataclasses"
        if any(alias.name == "dataclass" for alias in node.names)
    }

    assert {name for name in makers if not name.startswith("simulator.")} == {"values"}


def test_packages_hold_no_code_of_their_own() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        imported = set(imports(ast.parse(path.read_text("utf-8"))))
        assert imported <= ({"importlib"} if path.parent == PACKAGE else set()), path


def test_the_steps_of_a_take_record_nothing() -> None:
    """A worker could take them: what happened is for the loop to record."""
    called = {
        node.func.attr
        for node in ast.walk(modules()["run.steps"])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }

    assert called & {"record", "record_paid", "change", "save", "move"} == set()


SPENDING = re.compile(
    r"(run|plan|project|manifest|pipeline|report|cli)\b|gateway\.client$"
    r"|ledger\.(store|statefiles|record|owner|rescue|ledgerfile|count|safekeeping)$"
)


def test_what_runs_errands_reaches_nothing_that_spends_or_keeps_books() -> None:
    """A worker elsewhere could then buy or record nothing even if it wanted to."""
    reached, new = set(), {"delivery.bringing"}
    while new:
        reached |= new
        new = {other for name in new for other in used_by(name)} - reached

    assert reached >= {"delivery.download", "delivery.measure", "gateway.reads"}
    assert {name for name in reached if SPENDING.match(name)} == set()


# --- starting light --------------------------------------------------------------------------------

START = """
import sys
from veopipe.__main__ import main
sys.argv = ["veopipe", *sys.argv[1:]]
try:
    main()
finally:
    print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


@pytest.mark.parametrize("words", [["--version"], ["--help"], []], ids=lambda words: " ".join(words) or "nothing")
def test_a_question_about_veopipe_loads_no_heavy_library(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", START, *words], capture_output=True, text=True, timeout=60)
    loaded = done.stderr.rpartition("loaded:")[2].split()

    assert ("click" in loaded) == (words != ["--version"])  # which needs no command line
    assert set(loaded) & set(HEAVY) == set()


# --- lengths ---------------------------------------------------------------------------------------


Function = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def defined() -> list[tuple[str, ast.AST]]:
    """All functions and classes, with their modules' names before theirs."""
    inside = ((name, node) for name, tree in modules().items() for node in ast.walk(tree))
    return [(f"{name}.{node.name}", node) for name, node in inside if isinstance(node, Function | ast.ClassDef)]


def functions() -> list[tuple[str, Function]]:
    """Those that are functions."""
    return [(name, node) for name, node in defined() if isinstance(node, Function)]


def classes() -> list[tuple[str, ast.ClassDef]]:
    """Those that are classes."""
    return [(name, node) for name, node in defined() if isinstance(node, ast.ClassDef)]


def length(function: Function) -> int:
    """Lines from `def` to the end, without the docstring."""
    head = function.body[0]
    documented = (
        isinstance(head, ast.Expr) and isinstance(head.value, ast.Constant) and isinstance(head.value.value, str)
    )
    spoken = (head.end_lineno or 0) - head.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - spoken


def lines_of_code(path: Path) -> int:
    """Lines without blank ones, comments and docstrings: to explain more must never be a reason to split a file."""
    text = path.read_text("utf-8")
    spoken = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    white = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in white:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - spoken)


def test_no_file_has_more_than_350_lines_of_code() -> None:
    """From 300 on ask whether there are two nouns in it; nothing is split for its length alone."""
    long = [path for path in PACKAGE.rglob("*.py") if path.read_bytes().count(b"\n") > 350]

    assert [path.name for path in long if lines_of_code(path) > 350] == []


def test_no_function_is_longer_than_40_lines() -> None:
    assert [name for name, node in functions() if length(node) > 40] == []


# --- how much there is to keep in mind ----------------------------------------------------------------

WAYS = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.comprehension)
WAYS += (ast.ExceptHandler, ast.match_case, ast.Assert)
# Records that do nothing and whose fields are a contract; everything else has ten at most.
RECORDS = {
    "takes.take.Attempt": "an attempt of a state file, field by field",
    "manifest.shots.Shot": "the keys that a shot may have in a list",
    "profiles.profile.Profile": "the keys of a profile's file",
    "pipeline.pipeline.Pipeline": "the keys of a pipeline's file",
    "plan.plan.Item": "an entry of a plan, field by field",
    "project.choices.Choices": "what the command line says, option by option",
    "simulator.book.Task": "a line of the simulator's book, field by field",
    "simulator.wirelog.Entry": "a line of the wire log, field by field",
}


def complexity(function: ast.AST) -> int:
    """The ways through a function: one, and one more for each place that has two.

    These are `if`, loops, `except`, `assert`, `case`, conditional expressions, each `and` and `or`, and in a
    comprehension each `for` and `if`. A function inside has ways of its own.
    """
    ways, inside = 1, list(ast.iter_child_nodes(function))
    while inside:
        node = inside.pop()
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            ways += isinstance(node, WAYS)
            ways += len(node.values) - 1 if isinstance(node, ast.BoolOp) else 0
            ways += len(node.ifs) if isinstance(node, ast.comprehension) else 0
            inside += ast.iter_child_nodes(node)
    return ways


def test_no_function_has_more_than_10_ways() -> None:
    assert [name for name, node in functions() if complexity(node) > 10] == []


def test_what_counts_as_a_way() -> None:
    written = "def f(a):\n    if a and a: return [b for b in a if b]\n    return (lambda: a or a)() if a else 0"

    assert complexity(ast.parse(written).body[0]) == 6


def test_no_class_has_more_than_10_fields_but_the_records() -> None:
    large = {name: node for name, node in classes() if sum(isinstance(line, ast.AnnAssign) for line in node.body) > 10}

    assert large.keys() == RECORDS.keys()
    stores = (part for node in large.values() for part in ast.walk(node) if isinstance(part, ast.Attribute))
    assert not any(isinstance(part.ctx, ast.Store) for part in stores)  # a record changes nothing of itself


def test_no_class_has_more_than_15_methods() -> None:
    assert [name for name, node in classes() if sum(isinstance(line, Function) for line in node.body) > 15] == []


# --- manners ---------------------------------------------------------------------------------------


def test_only_the_edges_speak() -> None:
    silent = [(name, tree) for name, tree in modules().items() if not is_one_of(name, SPEAKERS)]
    calls = [(name, node.func) for name, tree in silent for node in ast.walk(tree) if isinstance(node, ast.Call)]

    assert [name for name, called in calls if ast.unparse(called) in {"print", "click.echo", "click.secho"}] == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    words = {word for name in modules() for word in name.split(".")}

    assert words & {"utils", "helpers", "core", "common", "models", "misc"} == set()


def test_no_test_replaces_a_part_of_veopipe() -> None:
    tests = {path.name: path.read_text("utf-8") for path in TESTS.rglob("*.py")}
    suspects = {name: set(imports(ast.parse(text))) for name, text in tests.items() if "mock" in text}

    assert Path(__file__).name in suspects
    assert [name for name, targets in suspects.items() if any("mock" in target.split(".") for target in targets)] == []
