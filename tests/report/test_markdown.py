"""The Markdown report, read by a real Markdown parser (the one that rich brings along)."""

import pytest
from markdown_it import MarkdownIt

from veopipe.report.markdown import escaped

PARSER = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"])
HOSTILE = "`code` | **bold** _it_ ~~x~~ <img src=x onerror=y> ![x](http://evil/p.png) [l](http://e) @team #12 \\| &lt;"


def tokens(text):
    return [part for token in PARSER.parse(text) for part in (token, *(token.children or ()))]


@pytest.mark.parametrize("text", [HOSTILE, "# title", "- item", "https://evil.example www.evil.example", "a\n\n> b"])
def test_an_escaped_text_is_nothing_but_text(text):
    found = tokens(f"cell {escaped(text)}")
    assert {token.type for token in found} <= {"paragraph_open", "inline", "paragraph_close", "text", "text_special"}


def test_a_mention_an_issue_and_an_address_are_parted():
    shown = "".join(token.content for token in tokens(escaped("@team #12 www.evil.example")) if "text" in token.type)
    assert shown == "@\u200bteam #\u200b12 w\u200bww.evil.example"


def test_a_summary_names_what_needs_a_person_and_keeps_its_table(film):
    film.list({"one": HOSTILE, "two": "Words [simulate: 400_google]", "three": "Words [simulate: lost_response]"})
    film.run()
    result = film.command("report", "shots.yaml", "-p", "quick.yaml", "--format", "markdown")
    assert result.code == 0
    found = tokens(result.out)
    headings = [found[i + 1].content for i, token in enumerate(found) if token.type == "heading_open"]
    assert headings == ["shots.yaml: 1 of 3 shots verified", "In doubt: 1", "Refused: 1"]
    assert sum(token.type == "tr_open" for token in found) == 4
    assert sum(token.type == "td_open" for token in found) == 3 * 6
    assert {token.type for token in found} & {"image", "link_open", "code_inline", "html_inline", "em_open"} == set()
    assert [token.content.strip() for token in found if token.type == "html_block"] == [
        "<details><summary>All shots</summary>",
        "</details>",
    ]
