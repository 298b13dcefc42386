"""The JUnit report, read by a real XML parser."""

from xml.etree import ElementTree

import pytest

from veopipe.report import junit
from veopipe.report.legend import HELD, PENDING, UNREADABLE
from veopipe.takes.status import Status


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (Status.VERIFIED, None),
        *((status, "failure") for status in (Status.FAILED, Status.MISMATCHED, Status.REFUSED, Status.ABANDONED)),
        *((status, "error") for status in (Status.IN_DOUBT, UNREADABLE, HELD)),
        *((status, "skipped") for status in (PENDING, Status.PARKED, Status.RENDERING, Status.DOWNLOADED)),
    ],
)
def test_a_shot_counts_as_what_it_is(card, status, outcome):
    root = ElementTree.fromstring(junit.render("film/shots.yaml", [card(status=status, reason="why")]))
    case = root.find("./testsuite/testcase")
    assert (case.get("classname"), case.get("name"), case.get("time")) == ("shots", "SC01", "83")
    assert [child.tag for child in case if child.tag != "properties"] == ([outcome] if outcome else [])
    counts = {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {
        "tests": "1",
        "failures": str(int(outcome == "failure")),
        "errors": str(int(outcome == "error")),
        "skipped": str(int(outcome == "skipped")),
    }


def test_texts_that_xml_cant_hold_are_replaced_and_all_others_arrive(card):
    reason = "a\x00b\x1b[31m \ud800 \ufffe ]]> <&\"' é 🎬"
    root = ElementTree.fromstring(junit.render("a\x0b.yaml", [card(status=Status.FAILED, reason=reason)]).encode())
    failure = root.find("./testsuite/testcase/failure")
    assert failure.get("message") == "failed: a�b�[31m � � ]]> <&\"' é 🎬"
    assert failure.text.endswith("\nA sea")
    assert root.find("testsuite").get("name") == "a�.yaml"


def test_a_run_is_a_suite(film):
    film.list({"one": "Words", "two": "Words [simulate: failed_no_error]", "three": "Later"})
    film.run("--only", "one", "--only", "two")
    result = film.command("report", "shots.yaml", "-p", "quick.yaml", "--format", "junit")
    root = ElementTree.fromstring(result.out)
    assert result.code == 0
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["3", "1", "0", "1"]
    assert root.find("./testsuite/testcase[@name='one']/properties/property[@name='measured size']").get("value") == (
        "1280 × 720"
    )
