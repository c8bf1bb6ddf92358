"""The query report as Markdown, as a reader of Markdown sees it."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.findings import Judgement
from harness.report.markup import code, fenced, prose
from harness.report.query_content import QueryReport
from harness.report.query_markdown import COMMENT_BYTES, SUMMARY_BYTES, query_to_markdown
from harness.report.wording import single_line
from tests.lock.strategies import CASES
from tests.report.query_reports import (
    EMPTY,
    EXAMPLE,
    LAZY_LOAD,
    SOME,
    of_shapes,
    reports,
    with_findings,
)

_OURS = {
    *("h3", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"),
    *("details", "summary", "code", "pre", "strong", "em"),
}


class _Page(HTMLParser):
    """What a browser makes of a page: its elements, and the text of cells and code."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.text = ""
        self.code: list[str] = []
        self.unclosed: list[str] = []
        self.outside_of_code = ""
        self.feed(MarkdownIt("commonmark").enable("table").render(markdown))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.elements.append(tag)
        self.unclosed.append(tag)
        if tag == "code":
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if "code" in self.unclosed:
            self.code[-1] += data
        else:
            self.outside_of_code += data


_ANY_TEXT = st.text() | st.text("`|\\<>&*_[]()!~@#:$\"'-=+ \n\tab{}", max_size=40)


def test_the_verdict_comes_first() -> None:
    assert query_to_markdown(EXAMPLE).startswith("### Queries: FAIL\n")


def test_the_table_has_before_and_after_of_each_endpoint() -> None:
    page = _Page(query_to_markdown(EXAMPLE))

    assert page.elements.count("tr") == 1 + len(EXAMPLE.changes)
    assert "2 statements, 2 round trips" in page.text
    assert "7 statements, 7 round trips" in page.text


def test_regressions_stand_first_in_the_table() -> None:
    text = query_to_markdown(EXAMPLE)

    assert text.index("**more**") < text.index("| new |") < text.index("| fewer |")


def test_the_details_have_the_statements_and_how_to_accept() -> None:
    page = _Page(query_to_markdown(EXAMPLE))

    assert page.elements.count("details") == 2
    assert any("+6  SELECT posts.id, posts.title" in each for each in page.code)
    assert any('identity = "n-plus-one User.posts @ GET /users"' in each for each in page.code)
    assert "pytest --query-lock=update" in page.code


def test_a_finding_without_a_change_has_details_of_its_own() -> None:
    page = _Page(query_to_markdown(replace(EXAMPLE, changes=())))

    assert LAZY_LOAD.identity in page.code
    assert page.elements.count("details") == 1


def test_an_accepted_finding_is_not_told() -> None:
    assert "GET /authors" not in query_to_markdown(EXAMPLE)


def test_a_run_that_could_not_see_says_why() -> None:
    page = _Page(query_to_markdown(replace(EMPTY, problems=("no engine was seen\nuse one",))))

    assert "INCONCLUSIVE" in page.text
    assert "cannot be judged: no engine was seen use one" in page.text


@CASES
@given(_ANY_TEXT)
def test_a_name_is_shown_as_it_is(text: str) -> None:
    page = _Page(f"| a | b |\n| --- | --- |\n| {code(text, most=1000)} | c |")

    assert page.elements.count("td") == 2
    assert page.code == [single_line(text)]
    assert page.unclosed == []


@CASES
@given(_ANY_TEXT)
def test_a_sentence_is_shown_as_it_is_but_for_mentions(text: str) -> None:
    page = _Page(f"| a | b |\n| --- | --- |\n| x {prose(text, most=1000)} y | c |")

    assert page.elements.count("td") == 2
    assert set(page.elements) <= _OURS - {"code", "em", "strong"}
    shown = " ".join(page.text.replace("\u200b", "").split())
    assert shown == f"a b x {single_line(text)} y c".replace("  ", " ")


@pytest.mark.parametrize("text", ["ping @octocat", "fixes #12"])
def test_a_sentence_mentions_nobody(text: str) -> None:
    page = _Page(prose(text, most=100))

    assert "@octocat" not in page.text
    assert "#12" not in page.text


@CASES
@given(st.lists(_ANY_TEXT.map(single_line)))
@example(["```", "`````", "a"])
def test_a_block_of_code_ends_where_it_should(lines: list[str]) -> None:
    page = _Page(f"{fenced(lines, language='sql')}\n\nbehind")

    assert page.code == ["".join(f"{line}\n" for line in lines)]


@SOME
@given(reports())
def test_no_report_adds_an_element_or_leaves_one_open(report: QueryReport) -> None:
    page = _Page(query_to_markdown(report))

    assert set(page.elements) <= _OURS
    assert page.unclosed == []


@SOME
@given(reports())
def test_no_report_mentions_anybody(report: QueryReport) -> None:
    page = _Page(query_to_markdown(report))

    assert "@octocat" not in page.outside_of_code


@SOME
@given(reports(), st.integers(1_000, 70_000))
def test_no_report_is_longer_than_it_may_be(report: QueryReport, most: int) -> None:
    text = query_to_markdown(report, most_bytes=most)

    assert len(text.encode()) <= most


def test_a_shortened_report_says_how_much_is_missing() -> None:
    long = tuple(replace(LAZY_LOAD, anchor=f"GET /{each}") for each in range(2_000))
    report = with_findings(*long, report=of_shapes(1000))

    text = query_to_markdown(report)

    assert COMMENT_BYTES * 0.9 < len(text.encode()) <= COMMENT_BYTES
    assert "*Shortened: 1," in text.splitlines()[-1]
    assert _Page(text).unclosed == []


def test_a_summary_may_be_longer_than_a_comment() -> None:
    long = tuple(replace(LAZY_LOAD, anchor=f"GET /{each}") for each in range(1_000))

    text = query_to_markdown(with_findings(*long), most_bytes=SUMMARY_BYTES)

    assert COMMENT_BYTES < len(text.encode()) <= SUMMARY_BYTES


def test_a_table_of_many_endpoints_is_cut() -> None:
    change = EXAMPLE.changes[0]
    many = tuple(replace(change, endpoint=f"GET /{each}") for each in range(300))
    quiet = replace(EXAMPLE, changes=many, judgement=Judgement((), (), ()))

    page = _Page(query_to_markdown(quiet))

    assert page.elements.count("tr") == 102
    assert "… and 200 more" in page.text


def test_a_report_of_nothing_has_no_table() -> None:
    assert "table" not in _Page(query_to_markdown(EMPTY)).elements
