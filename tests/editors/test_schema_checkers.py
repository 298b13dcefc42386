"""Other people's validators read our schemas as we do: Ajv in JavaScript, check-jsonschema on the command line."""

import json
import subprocess
from pathlib import Path

import pytest

from veopipe.documents import schema, yaml
from veopipe.documents.nodes import plain

HERE = Path(__file__).parent
AJV = HERE / "ajv.cjs"
OTHERS = {"manifest": (), "bible": ("manifest",), "pipeline": ("manifest", "profile"), "profile": ("profile",)}
"""The schemas that one refers to."""


@pytest.fixture(scope="module")
def documents(workspace, refused):
    """`rule/name` → plain values, of every file that veopipe can read as YAML."""
    read = {name: yaml.load(workspace / "rules" / f"{name}.yaml") for name in refused}
    return {name: plain(found.root) for name, found in read.items() if found.root is not None}


@pytest.fixture(scope="module")
def our_verdicts(documents, schema_of):
    """By the schema alone, on the raw document."""
    return {name: schema.check(schema_of[name.partition("/")[0]], value) == [] for name, value in documents.items()}


@pytest.mark.parametrize("name", ["manifest", "pipeline", "profile"])
def test_ajv_has_the_same_verdicts(node_folder, documents, our_verdicts, schema_of, name):
    ours = {key: verdict for key, verdict in our_verdicts.items() if schema_of[key.partition("/")[0]] == name}
    question = {
        "schema": schema.load(name),
        "others": {f"{other}.schema.json": schema.load(other) for other in OTHERS[name]},
        "documents": {key: documents[key] for key in ours},
    }
    done = subprocess.run(
        ["node", str(AJV)], cwd=node_folder, input=json.dumps(question), capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == ours
    assert len(ours) > 90
    assert 0 < sum(ours.values()) < len(ours)


@pytest.mark.parametrize("name", ["manifest", "pipeline", "profile"])
def test_check_jsonschema_has_the_same_verdicts(python_tools, workspace, documents, our_verdicts, schema_of, name):
    """On JSON, so that reading YAML is no matter."""
    folder = workspace / f"json-{name}"
    folder.mkdir()
    ours = {}
    for key, verdict in our_verdicts.items():
        if schema_of[key.partition("/")[0]] == name:
            ours[key.replace("/", "--")] = verdict
            (folder / f"{key.replace('/', '--')}.json").write_text(json.dumps(documents[key]), "utf-8")
    theirs = dict.fromkeys(ours, True) | dict.fromkeys(
        wrong_files(python_tools, workspace, name, folder, "json"), False
    )
    assert theirs == ours


@pytest.mark.parametrize("kind", ["examples/*.yaml", "pipelines/*.yaml"])
def test_check_jsonschema_finds_our_own_files_good(python_tools, workspace, kind):
    folder = workspace / kind.partition("/")[0]
    folder.mkdir()
    found = sorted((HERE.parents[1]).glob(kind))
    for path in found:
        (folder / path.name).write_bytes(path.read_bytes())
    assert found
    assert (
        wrong_files(python_tools, workspace, "pipeline" if "pipelines" in kind else "manifest", folder, "yaml") == set()
    )


def wrong_files(tools, workspace, name, folder, kind):
    """Stems of the files that check-jsonschema refuses."""
    done = subprocess.run(
        [
            str(tools / "check-jsonschema"),
            "--schemafile",
            str(workspace / "schemas" / f"{name}.schema.json"),
            "--output-format",
            "json",
            *(str(path) for path in sorted(folder.glob(f"*.{kind}"))),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report.get("parse_errors", []) == []
    return {Path(error["filename"]).stem for error in report["errors"]}
