"""The real yaml-language-server shows what veopipe knows: errors, hover, completion."""

from pathlib import Path

import pytest

from veopipe.documents import schema
from veopipe.manifest import families

ROOT = Path(__file__).parents[2]

# What an editor can't know: the files of the shot list, which models are sold, other shots, and what is special
# about our way to read YAML. A name without a slash stands for all invalid files of that rule.
CODE_ONLY = {
    "account-user/invalid-of-laozhang": "what the profile says",
    "bible-file/invalid-absolute": "where the file lies",
    "bible-file/invalid-address": "the file",
    "bible-file/invalid-home": "where the file lies",
    "bible-file/invalid-missing": "the file",
    "bible-file/invalid-nul": "the file",
    "bible-file/invalid-outside": "where the file lies",
    "bible-file/invalid-variable": "the file",
    "bible-only-texts": "another file",
    "base-url/invalid-v1": "the path of an address",
    "deadline/invalid-rounded-to-nothing": "the length of a duration",
    "high-resolution-needs-8s/invalid-default": "compares a shot with its defaults",
    "laozhang-omni-resolution": "a profile's own rules",
    "last-frame-without-negative-prompt/invalid-default": "compares a shot with its defaults",
    "model-like/invalid-unknown": "which models the profile has",
    "model-price/invalid-decimals": "how a number is written",
    "model-retention/invalid-years": "the length of a duration",
    "model-successor/invalid-itself": "compares a model with its name",
    "model-successor/invalid-unknown": "compares names of models",
    "notify-command/invalid-quote": "a line that is split like a shell would",
    "picture-damaged": "the picture's content",
    "picture-empty": "the picture's content",
    "picture-format": "the picture's content",
    "picture-lfs-pointer": "the picture's content",
    "picture-missing": "the file",
    "picture-not-regular": "the file",
    "picture-outside": "the file",
    "picture-ratio-4k": "the picture's content",
    "picture-too-large": "the file",
    "picture-undeclared": "a profile's own rules",
    "poll-interval/invalid-longer-than-a-year": "the length of a duration",
    "price-amount/invalid-decimals": "how a number is written",
    "price-amount/invalid-nan": "how a number is read",
    "price-for-resolution": "models are data, and so are their prices",
    "price-per-call/invalid-decimals": "how a number is written",
    "profile-base-url/invalid-endpoint": "the path of an address",
    "profile-known/invalid-away": "where the file lies",
    "profile-known/invalid-missing-file": "the file",
    "profile-known/invalid-no-gateway": "what the profile says",
    "profile-known/invalid-unknown": "the file",
    "profile-poll-timeout/invalid-long": "the length of a duration",
    "seed-range/invalid-octal": "0720 is a number to the editor, a text with a leading zero to veopipe",
    "seconds-values/invalid-default-for-one": "compares a shot with the defaults",
    "shot-id-unique": "compares ids without regard to case",
    "size-agrees/invalid-default": "compares a shot with its defaults",
    "status-endpoint/invalid-of-google": "what the profile says",
    "take-or-takes/invalid-defaults": "compares two defaults, which it sees by themselves only",
    "token-price/invalid-decimals": "how a number is written",
    "text-unknown": "names of texts, here or in a bible",
    "unknown-model": "models are data, and a pipeline may add some",
    "yaml-document": "an editor takes no document for nothing, and two for two",
    "yaml-encoding": "control characters",
    "yaml-merge/invalid-scalar": "how YAML is read",
    "yaml-tag/invalid-str": "how YAML is read",
}
LIST = """\
# yaml-language-server: $schema=schemas/manifest.schema.json
version: 1
budget_usd: 2
defaults:
  model: veo-3.1-fast-generate-preview
shots:
  SC01:
    prompt: A lighthouse
    resolution: 1080p
    seconds: 4
    {key}: 
"""  # noqa: W291  where the cursor stands


def is_code_only(name):
    return "/invalid-" in name and (name in CODE_ONLY or name.partition("/")[0] in CODE_ONLY)


@pytest.fixture(scope="module")
def said(server, workspace, refused):
    """`rule/name` → what the server says of that file, for all that are text."""
    texts = {}
    for name in refused:
        path = workspace / "rules" / f"{name}.yaml"
        try:
            texts[path] = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            continue  # an editor asks for the encoding
    found = server.open_all(texts)
    return {f"{path.parent.name}/{path.stem}": diagnostics for path, diagnostics in found.items()}


def test_every_file_of_the_rules_that_is_text_was_judged(said, refused):
    assert sorted(refused.keys() - said.keys()) == ["yaml-encoding/invalid-latin1", "yaml-encoding/invalid-utf16"]
    assert len(said) > 300


def test_the_server_never_sees_an_error_where_veopipe_sees_none(said, refused):
    assert {name: diagnostics for name, diagnostics in said.items() if diagnostics and not refused[name]} == {}


def test_the_server_sees_every_error_that_a_raw_document_shows(said, refused):
    missed = [name for name, diagnostics in said.items() if refused[name] and not diagnostics]
    assert [name for name in missed if not is_code_only(name)] == []


def test_what_is_said_to_be_for_code_only_is_that(said, refused):
    assert [name for name in said if is_code_only(name) and said[name]] == []
    folders = {name.partition("/")[0] for name in refused}
    assert [name for name in CODE_ONLY if name not in refused and name not in folders] == []


@pytest.fixture
def open_list(server, workspace):
    """Open a shot list with `key` on its last line, as a new user has it: the schema is named in its first line."""

    def opened(name, key="tags"):
        path = workspace / f"{name}.yaml"
        return path, server.open(path, LIST.format(key=key))

    return opened


def test_an_error_has_the_words_of_the_rule_and_stands_at_the_value(open_list):
    entries = families.families()["veo-3.1"]["allOf"]
    entry = next(entry for entry in entries if entry["x-rule"] == "high-resolution-needs-8s")
    _, diagnostics = open_list("wording", "notes")
    (found,) = [d for d in diagnostics if d["range"]["start"] == {"line": 9, "character": 13}]
    assert entry["x-message"] in found["message"]


@pytest.mark.parametrize("name", ["manifest", "pipeline"])
def test_hover_shows_description_examples_and_the_link_of_every_property(server, workspace, name):
    """All keys of a level, one below the other."""
    levels = {(): schema.load(name)["properties"]}
    if name == "manifest":
        levels["shots", "a"] = schema.part("manifest", "$defs", "settings", "properties")
    else:
        levels |= {(key,): entry["properties"] for key, entry in levels[()].items() if "properties" in entry}
    asked = 0
    for steps, properties in levels.items():
        head = [f"# yaml-language-server: $schema=schemas/{name}.schema.json"]
        head += ["  " * depth + f"{step}:" for depth, step in enumerate(steps)]
        indent = "  " * len(steps)
        path = workspace / f"hover-{name}-{'-'.join(steps)}.yaml"
        server.open(path, "\n".join([*head, *(f"{indent}{key}: null" for key in properties)]) + "\n")
        for number, (key, entry) in enumerate(properties.items()):
            shown = server.hover(path, len(head) + number, len(indent) + 1)
            assert entry["markdownDescription"] in shown, key
            assert "Example:" in shown, key
            if entry.get("x-source", "").startswith("API document"):
                assert "](https://docs.laozhang.ai/" in shown, key
            asked += 1
    assert asked >= 18


def test_keys_are_completed_with_what_they_are_for(server, open_list):
    path, _ = open_list("keys", "n")
    offered = server.completion(path, 10, 5)
    assert {"negative_prompt", "notes"} <= offered.keys()
    assert not {"prompt", "resolution", "seconds"} & offered.keys()  # they are there
    documented = offered["negative_prompt"]["documentation"]
    text = documented["value"] if isinstance(documented, dict) else documented
    assert "What the video shouldn't show" in text


@pytest.mark.parametrize(
    ("key", "values"),
    [
        pytest.param("aspect_ratio", {"16:9", "9:16"}, id="choices"),
        pytest.param("model", {"veo-3.1-fast-generate-preview", "veo-3.1-generate-preview"}, id="examples"),
        pytest.param("size", {"1280x720", "3840x2160"}, id="sizes"),
    ],
)
def test_values_are_completed(server, open_list, key, values):
    path, _ = open_list(f"values-{key}", key)
    offered = {label.strip("\"'") for label in server.completion(path, 10, len(key) + 6)}
    assert values <= offered


def test_a_bible_has_a_schema_of_its_own_that_leads_to_the_list_s(server, workspace):
    head = "# yaml-language-server: $schema=schemas/bible.schema.json\n"
    right = "texts:\n  look: cold greens\n"
    assert server.open(workspace / "right-bible.yaml", head + right) == []
    wrong = server.open(workspace / "wrong-bible.yaml", head + right + "  2nd: x\n  deep: ${look}\nshots: {}\n")
    assert {found["range"]["start"]["line"] for found in wrong} >= {3, 4, 5}
    path = workspace / "empty-bible.yaml"
    server.open(path, head + "t\n")
    assert "texts" in server.completion(path, 1, 1)


@pytest.mark.parametrize("path", ["examples/shots.yaml", "pipelines/default.yaml", "pipelines/nightly.yaml"])
def test_our_own_files_have_no_squiggle(server, workspace, path):
    name = "pipeline" if path.startswith("pipelines") else "manifest"
    text = (ROOT / path).read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("# yaml-language-server")]
    modeline = f"# yaml-language-server: $schema={(workspace / 'schemas').as_uri()}/{name}.schema.json"
    assert server.open(workspace / f"own-{path.replace('/', '-')}", "\n".join([modeline, *lines]) + "\n") == []
