"""Texts that a list says once: what they stand for, where a wrong reference stands, and what a bible may be."""

import os
import time
from pathlib import Path

import pytest

from tests.harness.served import SERVED
from veopipe.documents import yaml
from veopipe.manifest.shots import load_manifest
from veopipe.pipeline.reading import load_pipeline

FAST = "veo-3.1-fast-generate-preview"
LOOK = "texts: {look: cold greens}\n"


@pytest.fixture
def project(tmp_path):
    """Writes files, loads `shots.yaml` with or without a pipeline."""

    class Project:
        folder = tmp_path

        def write(self, name, text):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            return path

        def load(self, text, overrides=None, **more):
            self.write("shots.yaml", text)
            pipeline = None
            if overrides is not None:
                self.write("pipelines/mine.yaml", overrides)
                pipeline, problems = load_pipeline("mine", tmp_path)
                assert problems == ()
            more = {"models": SERVED, "shown_as": "shots.yaml"} | more
            return load_manifest(tmp_path / "shots.yaml", overrides=pipeline and pipeline.overrides, **more)

        def shots(self, text, overrides=None, **more):
            loaded = self.load(text, overrides, **more)
            assert loaded.problems == (), [str(problem) for problem in loaded.problems]
            return loaded.manifest.shots

        def problems(self, text, overrides=None):
            return [(p.file, p.line, p.column, p.rule) for p in self.load(text, overrides).problems]

        def message(self, text, overrides=None):
            (problem,) = self.load(text, overrides).problems
            return problem.message

    return Project()


def listing(*shots, head=LOOK, defaults=f"{{model: {FAST}, prompt: 'x ${{look}}'}}"):
    return f"version: 1\n{head}defaults: {defaults}\nshots:\n" + "".join(f"  {shot}\n" for shot in shots)


def shot(lines, head=LOOK):
    """A list with one shot, whose keys begin on line 6."""
    return f"version: 1\n{head}defaults: {{model: {FAST}}}\nshots:\n  a:\n{lines}"


# --- what a reference stands for ------------------------------------------------------------------------


def test_a_reference_stands_for_its_text_in_prompt_negative_prompt_and_notes(project):
    made = project.shots(
        shot(
            '    prompt: "${look}: a ${thing}, ${look}"\n    negative_prompt: ${thing}\n    notes: as ${thing}\n'
        ).replace(LOOK, "texts: {look: cold greens, thing: lamp}\n")
    )["a"]

    assert made.prompt == "cold greens: a lamp, cold greens"
    assert (made.negative_prompt, made.notes) == ("lamp", "as lamp")


def test_everything_else_is_literal(project):
    made = project.shots(listing("a: {tags: ['${look}'], info: {by: '${look}'}}"))["a"]

    assert (made.tags, made.info) == (("${look}",), {"by": "${look}"})


@pytest.mark.parametrize("head", ["", "bible: null\n"])
def test_without_texts_a_reference_is_what_it_is(project, head):
    loaded = project.load(listing("a: {notes: '$${b} ${'}", "b: {prompt: 'a price: ${9.99}'}", head=head))
    assert loaded.manifest is not None
    made = loaded.manifest.shots["a"]

    assert (made.prompt, made.notes) == ("x ${look}", "$${b} ${")
    assert made.uses == frozenset()
    assert [(p.severity, p.rule, p.shot, p.message.partition(":")[0]) for p in loaded.problems] == [
        ("warning", "text-literal", "a", "`${look}` is sent as it stands")
    ]


@pytest.mark.parametrize("head", ["texts: {}\n", "texts:\n", "bible: bible.yaml\n"])
def test_with_texts_or_a_bible_a_reference_is_one_and_two_dollars_make_it_literal(project, head):
    project.write("bible.yaml", "texts: {}\n")

    assert project.shots(listing("a: {prompt: '$${b} costs $5 $$ {} $'}", head=head, defaults=f"{{model: {FAST}}}"))[
        "a"
    ].prompt == ("${b} costs $5 $$ {} $")
    assert project.problems(listing("a: {}", head=head))[0][3] == "text-unknown"


def test_what_a_text_holds_is_text_and_is_read_no_further(project):
    head = 'texts: {number: "7", dollar: $, rest: "{look}", "null": "null", look: cold}\n'
    made = project.shots(listing("a: {prompt: '${number}', notes: '${null} ${dollar}${rest} ${look}'}", head=head))["a"]

    assert (made.prompt, made.notes) == ("7", "null ${look} cold")


def test_a_list_s_own_text_wins_over_its_bible_s(project):
    project.write("bible.yaml", "texts: {look: warm reds, keeper: an old keeper}\n")
    made = project.shots(listing("a: {prompt: '${keeper}, ${look}'}", "b: {}", head="bible: bible.yaml\n" + LOOK))

    assert [each.prompt for each in made.values()] == ["an old keeper, cold greens", "x cold greens"]


def test_a_shot_knows_the_texts_of_what_is_ordered_for_it(project):
    head = "texts: {look: cold greens, never: blur, note: mine}\n"
    made = project.shots(
        listing(
            "a: {negative_prompt: '${never}', notes: '${note}'}",
            "b: {prompt: plain}",
            "c: {negative_prompt: null}",
            head=head,
        )
    )

    assert [sorted(each.uses) for each in made.values()] == [["look", "never"], [], ["look"]]


def test_overrides_are_written_out_with_the_texts_of_the_list(project):
    made = project.shots(listing("a: {}"), "version: 1\noverrides: {prompt: 'night, ${look}'}\n")["a"]

    assert (made.prompt, made.uses) == ("night, cold greens", {"look"})


def test_overrides_are_literal_for_a_list_without_texts(project):
    loaded = project.load(listing("a: {prompt: x}", head=""), "version: 1\noverrides: {prompt: 'night, ${look}'}\n")

    assert loaded.manifest is not None
    assert loaded.manifest.shots["a"].prompt == "night, ${look}"
    assert [(p.file, p.line, p.rule) for p in loaded.problems] == [("pipelines/mine.yaml", 2, "text-literal")]


def test_a_shot_that_the_command_isnt_about_knows_its_texts_too(project):
    made = project.shots(listing("a: {}", "b: {}"), selects=lambda shot, tags: shot == "b")

    assert [each.uses for each in made.values()] == [{"look"}, {"look"}]


def test_an_order_is_the_same_whether_its_words_stand_in_a_text_or_not(project):
    by_name = project.shots(listing("a: {prompt: '${look}: a lamp ', notes: x}"))["a"].order({})
    in_full = project.shots(listing("a: {prompt: 'cold greens: a lamp', info: {act: 1}}", head=""))["a"].order({})

    assert by_name.fingerprint() == in_full.fingerprint()


# --- the rules judge what is written out ----------------------------------------------------------------


def test_a_prompt_that_is_blank_once_it_is_written_out_is_blank(project):
    assert project.problems(listing("a: {prompt: ' ${look}'}", head='texts: {look: "  "}\n')) == [
        ("shots.yaml", 5, 15, "prompt-text")
    ]


def test_the_length_of_a_prompt_is_that_of_what_is_sent(project):
    found = project.load(listing("a: {}", head=f"texts: {{look: {'word ' * 1100}}}\n")).problems

    assert [(p.line, p.column, p.rule, p.severity) for p in found] == [(3, 58, "prompt-length", "warning")]


def test_the_wording_of_a_negative_prompt_is_judged_as_it_is_sent(project):
    head = "texts: {look: cold, never: no blur}\n"

    assert [rule for *_, rule in project.problems(listing("a: {negative_prompt: '${never}'}", head=head))] == [
        "negative-prompt-wording"
    ]


def test_a_text_that_yaml_cuts_is_judged_with_its_texts(project):
    cut = "    prompt: ${look} # and the rest of the whole long prompt\n"

    assert [rule for *_, rule in project.problems(shot(cut, "texts: {look: red}\n"))] == ["text-cut-short"]
    assert project.problems(shot(cut, f"texts: {{look: {'much to see and ' * 9}}}\n")) == []


# --- places ---------------------------------------------------------------------------------------------

PLACES = {
    "plain": ("    prompt: A lamp. ${lok}\n", (6, 21)),
    "plain on two lines": ("    prompt: A lamp,\n      and then\n      ${lok}\n", (8, 7)),
    "single quotes": ("    prompt: 'It''s a lamp. ${lok}'\n", (6, 28)),
    "double quotes": ('    prompt: "A \\"lamp\\"\\t ${lok}"\n', (6, 27)),
    "double quotes on two lines": ('    prompt: "A lamp\n      \n      ä ${lok}"\n', (8, 9)),
    "folded": ("    prompt: >-\n      A lamp,\n\n      bright. ${lok}\n", (9, 15)),
    "literal": ("    prompt: |\n      A lamp,\n      ${lok}\n", (8, 7)),
    "literal with a comment that names it": ("    prompt: |2- # as in ${lok}\n      A lamp ${lok}\n", (7, 14)),
    "flow": ("    {prompt: A lamp, notes: 'a ${lok}'}\n", (6, 32)),
    "after other scripts": ("    prompt: 灯塔 🌊 é ${lok}\n", (6, 20)),
    "after a line separator": ("    prompt: A\u2028lamp ${lok}\n", (6, 20)),
    "after an escaped emoji": ('    prompt: "\\ud83c\\udf0a ${lok}"\n', (6, 27)),
    "behind an anchor": ("    prompt: &p A lamp ${lok}\n", (6, 23)),
    "behind an anchor and a line": ("    prompt: &p >-\n      A lamp ${lok}\n", (7, 14)),
    "after a right one and a literal one": ("    prompt: ${look} $${lok} ${lok}\n", (6, 29)),
    "hidden by an escape": ('    prompt: "A lamp \\x24{lok}"\n', (6, 13)),
    "partly hidden": ('    prompt: "A lamp ${l\\x6fk} ${look}"\n', (6, 13)),
    "broken by the end of a line": ('    prompt: "A lamp ${lo\\\n      k} ${look}"\n', (6, 13)),
}


@pytest.mark.parametrize(("lines", "place"), PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_wrong_reference_is_shown_where_it_stands(project, lines, place, ends):
    assert project.problems(shot(lines).replace("\n", ends)) == [("shots.yaml", *place, "text-unknown")]


def test_each_wrong_reference_has_its_own_place(project):
    found = project.problems(shot("    prompt: ${a} ${look}\n      ${b} ${a}\n    notes: ${c\n"))

    assert [place for _, *place, rule in found if rule == "text-unknown"] == [[6, 13], [7, 7], [7, 12], [8, 12]]


def test_a_wrong_reference_that_several_shots_share_is_one_problem(project):
    loaded = project.load(listing("a: &a {prompt: '${lok}'}", "b: *a", "c: {<<: *a, seed: 1}"))
    (found,) = loaded.problems

    assert (found.line, found.column, found.shot, found.shots) == (5, 19, "a", 3)


def test_a_wrong_reference_of_the_defaults_stands_there(project):
    (found,) = project.load(listing("a: {}", "b: {}", defaults=f"{{model: {FAST}, prompt: '${{lok}}'}}")).problems

    assert (found.line, found.column, found.rule, found.shot) == (3, 59, "text-unknown", None)


def test_a_wrong_reference_of_an_override_stands_in_the_pipeline(project):
    overrides = "version: 1\noverrides:\n  prompt: >\n    A night.\n    ${lok}\n"

    assert project.problems(listing("a: {}"), overrides) == [("pipelines/mine.yaml", 5, 5, "text-unknown")]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("${lok}", "there is no text `lok`: did you mean `look`?"),
        ("${LOOK}", "did you mean `look`?"),
        ("${zzz}", "there is no text `zzz`; the texts are `look`"),
        ("${ look }", "`${ look }` names no text: a reference is written `${name}`, and a literal `${` is `$${`"),
        ("${}", "`${}` names no text"),
        ("${1st}", "`${1st}` names no text"),
        ("${" + "l" * 65 + "}", "names no text"),
        ("${\\e[31mred}", "`${\\u001b[31mred}` names no text"),
    ],
)
def test_a_wrong_reference_is_explained(project, written, words):
    text = f'    prompt: "{written} ${{look}}"\n'

    assert words in project.message(shot(text))


def test_many_texts_are_named_by_the_first_of_them(project):
    head = "texts:\n" + "".join(f"  t{number}: x\n" for number in range(12))
    message = project.load(shot("    prompt: ${zzz}\n", head)).problems[-1].message

    assert message.endswith("`t8`, `t9` and 2 more")


def test_what_is_written_twice_keeps_its_place_in_each(project):
    """A merge key brings in the same value, and its places."""
    found = project.problems(
        "version: 1\ntexts: {}\nshots:\n  a: &a\n    model: m\n    prompt: &p ${b}\n  c: {<<: *a, notes: *p}\n"
    )

    assert [place for _, *place, rule in found if rule == "text-unknown"] == [[6, 16]]


# --- unused ---------------------------------------------------------------------------------------------


def test_a_text_that_nothing_uses_is_a_note_at_its_name(project):
    project.write("bible.yaml", "texts: {shared: x}\n")
    loaded = project.load(
        listing("a: {}", head="bible: bible.yaml\ntexts:\n  look: cold\n  keeper: an old keeper\n"),
    )

    assert loaded.manifest is not None
    assert [(p.line, p.column, p.severity, p.rule) for p in loaded.problems] == [(5, 3, "info", "text-unused")]
    assert loaded.problems[0].message == "no `prompt`, `negative_prompt` or `notes` uses the text `keeper`"


def test_a_text_that_only_a_pipeline_uses_is_used_with_it(project):
    text, overrides = listing("a: {prompt: x}", defaults="{model: any-model}"), "overrides: {prompt: 'y ${look}'}\n"

    assert project.shots(text, f"version: 1\n{overrides}")["a"].prompt == "y cold greens"


# --- the bible ------------------------------------------------------------------------------------------


def bible(written="bible.yaml", keys="a: {}"):
    return listing(keys, head=f"bible: {written}\n")


def test_a_bible_lies_in_the_work_tree_of_the_list(project):
    (project.folder / ".git").mkdir()
    project.write("bible.yaml", LOOK)
    project.write("film/shots.yaml", bible("../bible.yaml"))
    loaded = load_manifest(project.folder / "film" / "shots.yaml", models=SERVED)

    assert loaded.manifest.shots["a"].prompt == "x cold greens"


def test_without_a_work_tree_a_bible_lies_beside_its_list(project):
    project.write("bible.yaml", LOOK)
    project.write("film/shots.yaml", bible("../bible.yaml"))
    (found,) = load_manifest(project.folder / "film" / "shots.yaml", models=SERVED).problems

    assert (found.line, found.column, found.rule) == (2, 8, "bible-file")
    assert "lies outside the manifest's folder and its git work tree: copy the bible there" in found.message


def test_a_bible_s_problems_have_its_own_places_and_the_name_that_a_person_would_type(project, monkeypatch):
    (project.folder / ".git").mkdir()
    project.write("bible.yaml", "texts:\n  look: cold\n  2nd: x\n  deep: ${look}\nshots: {}\n")
    path = project.write("film/shots.yaml", bible("../bible.yaml"))
    monkeypatch.chdir(project.folder)
    found = load_manifest(path, models=SERVED, shown_as="film/shots.yaml").problems

    assert [(p.file, p.line, p.column, p.rule) for p in found] == [
        ("bible.yaml", 3, 3, "text-name"),
        ("bible.yaml", 4, 9, "text-plain"),
        ("bible.yaml", 5, 1, "bible-only-texts"),
    ]


BROKEN = {
    "a syntax error": (b"texts: {look: 'x\n", "yaml-syntax"),
    "another encoding": ("texts: {look: \u00e9}\n".encode("latin-1"), "yaml-encoding"),
    "a control character": (b"texts: {look: \x1b[31mred}\n", "yaml-encoding"),
    "a name twice": (b"texts:\n  look: x\n  look: y\n", "yaml-duplicate-key"),
    "nothing": (b"", "yaml-document"),
    "no texts": (b"- look\n", "bible-only-texts"),
    "itself": (b"bible: bible.yaml\ntexts: {look: x}\n", "bible-only-texts"),
    "a Git LFS pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n",
        "file-unreadable",
    ),
}


@pytest.mark.parametrize(("content", "rule"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_bible_is_one_problem_of_its_file(project, content, rule):
    """The names that it should hold are nobody's mistake."""
    project.write("bible.yaml", content)

    assert [(file, found) for file, *_, found in project.problems(bible())] == [("bible.yaml", rule)]


def test_a_pointer_in_place_of_a_bible_says_what_brings_it(project):
    project.write("bible.yaml", b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n")

    assert "a Git LFS pointer in place of the file; run `git lfs pull`" in project.message(bible())


def test_a_placeholder_in_place_of_a_bible_is_named(project):
    project.write(".bible.yaml.icloud", b"x")
    assert "an iCloud placeholder" in project.message(bible())

    (project.folder / "bible.yaml").symlink_to(".git/annex/objects/aa/bb/SHA256E-s9--0.yaml/SHA256E-s9--0.yaml")
    assert "a git-annex link in place of the file; run `git annex get`" in project.message(bible())


@pytest.mark.shows("e 18")
@pytest.mark.parametrize("target", ["../elsewhere.yaml", "/etc/hostname", "bible.yaml"])
def test_a_link_that_leads_out_of_the_work_tree_or_nowhere_is_no_bible(project, target):
    project.write("../elsewhere.yaml", LOOK)
    (project.folder / "bible.yaml").symlink_to(target)

    assert project.problems(bible()) == [("shots.yaml", 2, 8, "bible-file")]


def test_a_link_within_the_work_tree_is_followed(project):
    project.write("texts/one.yaml", LOOK)
    (project.folder / "bible.yaml").symlink_to("texts/one.yaml")

    assert project.shots(bible())["a"].prompt == "x cold greens"


@pytest.mark.shows("e 19")
@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir], ids=["a pipe", "a folder"])
def test_what_is_no_file_is_refused_and_not_waited_for(project, make):
    make(project.folder / "bible.yaml")
    begun = time.monotonic()

    assert project.problems(bible()) == [("bible.yaml", 1, 1, "file-unreadable")]
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("nowhere.yaml", "there is no bible file nowhere.yaml"),
        ("/etc/hostname", "is no path relative to the list"),
        ("~/bible.yaml", "is no path relative to the list"),
        ('"\\e[31mred.yaml"', "\\u001b[31mred.yaml"),
        ('"' + "x" * 300 + '.yaml"', "is no bible's file: File name too long"),
    ],
)
def test_a_bible_that_isnt_there_is_named_safely(project, written, words):
    message = project.message(bible(written))

    assert words in message
    assert "\x1b" not in message


# --- limits ---------------------------------------------------------------------------------------------


@pytest.mark.shows("e 11b")
def test_a_list_says_no_more_with_texts_than_it_could_without(project):
    """Ten thousand shots that each ask for a hundred times 100 kB: refused before it is written out."""
    text = listing("a: {}", head=f"texts: {{look: {'x' * 100_000}}}\n", defaults=f"{{model: {FAST}}}").partition(
        "  a:"
    )[0]
    text += "".join(f"  s{number}: {{prompt: x, notes: '{'${look}' * 100}'}}\n" for number in range(10_000))
    begun = time.monotonic()
    found = project.problems(text)

    # Thirteen notes of ten million characters fit into what a file may have.
    assert [(rule, line) for _, line, _, rule in found if rule == "yaml-limit"] == [("yaml-limit", 5 + 13)]
    assert time.monotonic() - begun < 30


def test_a_value_with_references_without_end_is_refused(project):
    found = project.problems(shot(f"    prompt: {'${look}' * 1001}\n"))
    assert found == [("shots.yaml", 6, 13, rule) for rule in ("prompt-length", "yaml-limit")]
    assert len(project.shots(shot(f"    prompt: {'${look}' * 1000}\n").replace("cold greens", "a"))) == 1


def test_many_unknown_names_among_many_texts_take_no_time(project):
    head = "texts:\n" + "".join(f"  text-number-{number}: x\n" for number in range(20_000))
    text = listing("a: {}", head=head, defaults="{model: any-model}").partition("  a:")[0]
    text += "".join(f"  s{number}: {{prompt: '${{texts-nomber-{number}}}'}}\n" for number in range(5_000))
    begun = time.monotonic()
    found = project.problems(text)

    assert sum(rule == "text-unknown" for *_, rule in found) == 5_000
    assert time.monotonic() - begun < 30


def test_a_value_that_many_shots_share_is_written_out_once(project):
    shots = project.shots(listing("a: &a {prompt: '${look}'}", *(f"s{number}: *a" for number in range(50))))

    assert len({id(each.prompt) for each in shots.values()}) == 1


# --- how a file spells its values -----------------------------------------------------------------------


def test_only_what_holds_a_reference_keeps_its_spelling():
    read = yaml.read(b'a: x\nb: "${y}"\nc: >\n  one\n  ${two}\nd: "\\x24{z}"\n', "f")

    assert read.spelt == {(2, 4): '"${y}"', (3, 4): ">\n  one\n  ${two}\n", (6, 4): '"\\x24{z}"'}
    assert yaml.read(b'd: "\\x24{z}"\n', "f").spelt == {}
