"""The published schemas describe what veopipe really writes, all of it and nothing else."""

import json
import shutil
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

from tests.harness.builders import attempt, take
from veopipe.dialects.lookup import Found
from veopipe.documents import schema
from veopipe.errors import ExitCode, Problem
from veopipe.ledger import record
from veopipe.plan import plan
from veopipe.report.legend import PENDING, UNREADABLE
from veopipe.report.rows import Money, Row
from veopipe.run import resolve, verify
from veopipe.takes import money
from veopipe.takes import status as state
from veopipe.takes import take as takes
from veopipe.takes.order import Order
from veopipe.takes.status import Scope

LIST = """\
version: 1
budget_usd: 5
defaults: {model: veo-3.1-fast-generate-preview, seconds: 4}
shots:
  fine: {prompt: A lighthouse at sunset, input_reference: refs/lamp.png, seed: 7}
  high: {prompt: A valley, resolution: 1080p, seconds: 8}
  lost: {prompt: 'A boat [simulate: lost_response]'}
  refused: {prompt: 'A pier [simulate: 400_google]'}
  failed: {prompt: 'A dune [simulate: failed_with_error times=all]'}
  wrong: {prompt: 'A field [simulate: wrong_resolution]'}
"""
NAMES = (
    "manifest",
    "bible",
    "pipeline",
    "profile",
    "state",
    "plan",
    "report",
    "review",
    "decisions",
    "frame",
    "cut",
    "lock",
    "clips",
)


def problems(name, document):
    found = jsonschema.Draft202012Validator(schema.load(name)).iter_errors(document)
    return [f"{error.json_path}: {error.message}" for error in found]


@pytest.fixture(scope="module")
def printed(veopipe):
    """What a command prints, as JSON."""
    return lambda folder, *words: json.loads(veopipe(folder, *words).out)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, printed):
    """A shot list after a rehearsal in which some went wrong."""
    made = tmp_path_factory.mktemp("film")
    (made / "shots.yaml").write_text(LIST, "utf-8")
    shutil.copytree(Path(__file__).parents[1] / "examples" / "refs", made / "refs")
    before = printed(made, "plan", "shots.yaml", "--simulate", "--format", "json", "-o", "plan.json")
    run = printed(made, "run", "shots.yaml", "--simulate", "--format", "json")
    (made / "before.json").write_text(json.dumps(before))
    (made / "run.json").write_text(json.dumps(run))
    return made


@pytest.fixture(scope="module")
def states(folder):
    files = sorted((folder / ".veopipe" / "shots.simulated" / "state").glob("*.json"))
    return {path.stem: json.loads(path.read_text("utf-8")) for path in files}


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_a_right_schema(name):
    jsonschema.Draft202012Validator.check_schema(schema.load(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_names_its_draft_and_says_what_everything_is(name):
    loaded = schema.load(name)
    assert loaded["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert loaded["title"] == f"veopipe {name}"
    assert loaded["description"]


@pytest.mark.parametrize("name", ["state", "plan", "report", "frame"])
def test_every_property_has_a_description(name):
    def undescribed(node, path=""):
        if isinstance(node, dict):
            for key, entry in node.get("properties", {}).items():
                # An `if` names a property to ask for its value, and a `$ref` leads to the description.
                if path.endswith("/if") or {"description", "$ref"} & entry.keys():
                    continue
                yield f"{path}/{key}"
            for key, entry in node.items():
                yield from undescribed(entry, f"{path}/{key}")

    assert list(undescribed(schema.load(name))) == []


def test_the_state_files_of_a_run_are_as_described(states):
    reached = {shot: document["takes"][0]["status"] for shot, document in states.items()}
    assert reached == {
        "fine": "verified",
        "high": "verified",
        "lost": "in_doubt",
        "refused": "refused",
        "failed": "failed",
        "wrong": "mismatched",
    }
    assert [found for document in states.values() for found in problems("state", document)] == []


def test_a_state_file_with_fields_of_a_newer_version_is_as_described(states):
    document = json.loads(json.dumps(states["fine"]))
    document["new"] = document["takes"][0]["new"] = document["takes"][0]["attempts"][0]["new"] = 1
    assert problems("state", document) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["format"], 2),
        (["takes", 0, "status"], "done"),
        (["takes", 0, "take"], 0),
        (["takes", 0, "attempts"], []),
        (["takes", 0, "attempts", 0, "price_usd"], 0.3),
        (["takes", 0, "attempts", 0, "task_id"], None),
        (["takes", 0, "file", "name"], "../fine.mp4"),
        (["takes", 0, "file", "output"], "/renders"),
        (["takes", 0, "order", "prompt"], None),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, list) else None,
)
def test_a_damaged_state_file_is_neither_as_described_nor_read(states, path, value):
    document = json.loads(json.dumps(states["fine"]))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert problems("state", document)
    if path[-1] != "prompt":  # an order is kept as it is, whatever it holds
        with pytest.raises(record.Unreadable):
            record.parse(json.dumps(document).encode())


def test_every_field_of_a_state_file_is_described():
    described = schema.part("state", "$defs")
    for kind, name in ((takes.Attempt, "attempt"), (takes.Delivered, "file")):
        assert {item.name for item in fields(kind)} - {"unknown"} == described[name]["properties"].keys()
    assert {item.name for item in fields(Order)} - {"unknown"} == described["order"]["properties"].keys()


def test_plans_are_as_described(folder, printed):
    written = json.loads((folder / "plan.json").read_text("utf-8"))
    said = json.loads((folder / "before.json").read_text("utf-8"))
    later = printed(folder, "plan", "shots.yaml", "--simulate", "--retry-failed", "--format", "json")
    assert {entry["action"] for entry in written["shots"]} == {"create"}
    assert {entry["action"] for entry in later["shots"]} == {"keep", "hold", "retry"}
    assert "google_list_price" in written["cost_usd"]
    assert [problems("plan", document) for document in (written, said, later)] == [[], [], []]


def test_reports_are_as_described(folder, printed):
    documents = [
        json.loads((folder / "run.json").read_text("utf-8")),
        printed(folder, "run", "shots.yaml", "--simulate", "--only", "fine", "--format", "json"),
        printed(folder, "status", "shots.yaml", "--format", "json"),
        printed(folder, "report", "shots.yaml", "--format", "json"),
        printed(folder, "verify", "shots.yaml", "--format", "json"),
    ]
    assert documents[0]["shots"]["lost"]["status"] == "in_doubt"
    assert documents[2]["shots"]["fine"]["status"] == "pending"
    assert [problems("report", document) for document in documents] == [[], [], [], [], []]


def test_what_resolve_prints_is_as_described(folder, tmp_path, printed):
    there = tmp_path / "film"
    shutil.copytree(folder, there)
    words = ("resolve", "shots.yaml", "--simulate", "--format", "json")
    documents = [
        printed(there, *words),
        printed(there, *words, "--look-up"),
        printed(there, *words, "lost", "--write-off"),
        printed(there, *words, "lost", "--write-off"),
    ]
    assert [waits["shot"] for waits in documents[0]["takes"]] == ["lost"]
    assert set(documents[1]["shots"]) == {"lost"}
    assert (documents[2]["status"], documents[3]["exit_code"]) == ("abandoned", 2)
    assert [problems("report", document) for document in documents] == [[], [], [], []]


def test_what_a_command_prints_when_it_ends_early_is_as_described(folder, printed):
    (folder / "bad.yaml").write_text("version: 1\nshots: {one: {prompt: A pier, secs: 8}}\n")
    documents = [
        printed(folder, "run", "bad.yaml", "--format", "json"),
        printed(folder, "status", "nowhere.yaml", "--format", "json"),
        printed(folder, "run", "shots.yaml", "--max-cost", "much", "--format", "json"),
    ]
    assert {problem["rule"] for problem in documents[0]["problems"]} >= {"model-required"}
    assert [problems("report", document) for document in documents] == [[], [], []]


def test_every_word_of_the_code_is_in_the_schemas_and_no_other():
    statuses = [status.value for status in state.Status]
    defs = {name: schema.part(name, "$defs") for name in ("state", "plan", "report")}
    assert defs["state"]["status"]["enum"] == statuses
    assert defs["state"]["attempt"]["if"]["properties"]["status"]["enum"] == [s for s in statuses if s in state.CHARGED]
    assert defs["report"]["row"]["properties"]["status"]["enum"] == [*statuses, PENDING, UNREADABLE]
    assert set(defs["plan"]["entry"]["properties"]["action"]["enum"]) == {action.value for action in plan.Action}
    assert defs["report"]["exit_code"]["enum"] == [int(code) for code in ExitCode]
    looked_up = defs["report"]["looked_up"]["properties"]["shots"]["additionalProperties"]
    assert looked_up["properties"]["found"]["enum"] == [found.value for found in Found]
    assert set(defs["state"]["attempt"]["properties"]["scope"]["examples"]) == {*Scope, plan.NOT_CHARGED}


def test_every_field_of_a_report_is_described():
    described = schema.part("report", "$defs")
    item = plan.Item("hero", plan.Action.STALE, "new", 1, "1:0", None, Decimal("0.3"), picked=True)
    row = Row(item, takes.ShotState("hero"), None, PENDING, info={"act": 1})
    assert row.as_json().keys() == described["row"]["properties"].keys()
    waits = resolve.Entry("hero", take(attempt(state.Status.PARKED)))
    assert waits.as_json().keys() == described["waits"]["properties"].keys()
    assert {item.name for item in fields(Money)} == described["cost"]["properties"].keys()
    assert {item.name for item in fields(Problem)} == described["problem"]["properties"].keys()
    assert {item.name for item in fields(verify.Finding)} == described["checked"]["properties"].keys()


@pytest.mark.parametrize("amount", ["0", "0.30", "2.70", "1000000"])
def test_an_amount_as_the_code_writes_it_is_as_described(amount):
    pattern = schema.part("state", "$defs", "money")["pattern"]
    validator = jsonschema.Draft202012Validator({"type": "string", "pattern": pattern})
    assert validator.is_valid(money.as_text(Decimal(amount)))
    assert not validator.is_valid("-1")
