"""The page of a load run loads nothing, lets nothing in, and has every picture and its table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from itertools import pairwise

import pytest

from harness.findings import ProbeVerdict, Verdict
from harness.report.load_content import AnswersInSecond, LoadReport
from harness.report.load_html import load_report_to_html
from tests.report.load_reports import (
    empty_report,
    full_report,
    open_ended_report,
    sized_report,
    unreachable_report,
)
from tests.report.pages import parsed

HOSTILE = "<script>alert(1)</script>\" onload='x' $\\alpha$ {{ 7 * 7 }}"
PICTURES = (
    "sizing",
    "waiting",
    "where-time-goes",
    "pool-0",
    "exhaustion",
    "answers",
    "trouble-0",
    "trouble-1",
)


@pytest.fixture(scope="module")
def page() -> str:
    return load_report_to_html(full_report())


def _words_of(page: str, name: str) -> list[str]:
    """What is written in a picture."""
    drawing = page.split(f'id="{name}-title"')[1].split("</svg>", maxsplit=1)[0]
    return [unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", drawing)]


def test_the_page_loads_nothing(page: str) -> None:
    outside = [each for each in parsed(page).addresses if not each.startswith(("#", "data:,"))]

    assert outside == []
    assert not re.search(r"https?://(?!127\.0\.0\.1)|@import|url\((?!#)", page)
    assert "script" not in parsed(page).tags


@pytest.mark.parametrize(
    "made",
    [full_report, sized_report, unreachable_report, open_ended_report, empty_report],
)
def test_every_link_has_a_target_and_every_id_is_unique(made: Callable[[], LoadReport]) -> None:
    seen = parsed(load_report_to_html(made()))

    assert [each for each, count in Counter(seen.ids).items() if count > 1] == []
    assert {each[1:] for each in seen.addresses if each.startswith("#")} <= set(seen.ids)


def test_headings_skip_no_level(page: str) -> None:
    levels = [int(tag[1]) for tag in parsed(page).tags if tag in {"h1", "h2", "h3"}]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_picture_has_an_alternative_text_and_a_caption(page: str) -> None:
    named = re.findall(r'role="img" aria-labelledby="([\w-]+)-title"', page)

    assert tuple(named) == PICTURES
    assert all(re.search(rf'<title id="{name}-title">[^<]+<', page) for name in PICTURES)
    assert page.count("<figcaption>") == len(PICTURES)


@pytest.mark.parametrize(
    "label",
    [
        "Pool sizes",
        "Time of a request by route",
        "Outcomes",
        "Answers by second, pool run dry",
        "Answers by second, backends killed",
        "Phases",
    ],
)
def test_there_is_a_table_behind_the_pictures(page: str, label: str) -> None:
    assert f'aria-label="{label}"><table>' in page


def test_the_curve_marks_the_knee_and_the_recommendation(page: str) -> None:
    words = _words_of(page, "sizing")

    assert {"knee: 8", "recommended: 7, overflow 2", "p50", "p95", "p99"} <= set(words)
    assert "the knee is at 8 and the recommended pool_size is 7" in page


def test_nothing_is_marked_as_recommended_where_nothing_is() -> None:
    html = load_report_to_html(unreachable_report())

    assert not [word for word in _words_of(html, "sizing") if "recommended" in word]
    assert "at least 4 processes" in html
    assert "<b>4</b> <span>processes at least</span>" in html


def test_a_timeline_marks_begin_end_and_recovery(page: str) -> None:
    assert {"trouble begins", "trouble ends", "recovered after 1.50 s"} <= set(
        _words_of(page, "trouble-0")
    )
    assert not [word for word in _words_of(page, "trouble-1") if word.startswith("recovered")]


def test_a_timeline_counts_every_outcome(page: str) -> None:
    assert {"ok: 58", "shed: 55", "error: 1", "refused: 1", "hang: 1"} <= set(
        _words_of(page, "answers")
    )


def test_every_route_has_a_bar_with_its_duration(page: str) -> None:
    words = _words_of(page, "where-time-goes")

    assert {"GET /orders", "1.65 s", "GET /health", "1.2 ms", "held idle"} <= set(words)


def test_what_was_not_tried_has_a_section_of_its_own(page: str) -> None:
    answered, skipped = page.split('<h2 id="not-tried">')

    assert "max_connections</th>" not in answered
    assert "the server is not ours: --host" in skipped


def test_the_pictures_take_their_colours_from_the_page(page: str) -> None:
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))

    assert re.findall(r"(?<!, )#[0-9a-f]{6}\b", drawings) == []


def test_the_same_report_is_the_same_page(page: str) -> None:
    assert load_report_to_html(full_report()) == page


def test_a_run_that_saw_nothing_is_a_page_without_pictures() -> None:
    html = load_report_to_html(empty_report())

    assert "No open findings." in html
    assert "<svg" not in html


def test_a_run_whose_probes_were_all_skipped_says_why_and_links_somewhere() -> None:
    probe = ProbeVerdict("recovery", Verdict.SKIPPED, "the server is not ours")

    html = load_report_to_html(replace(empty_report(), probes=(probe,)))
    seen = parsed(html)
    assert "the server is not ours" in html
    assert {each[1:] for each in seen.addresses if each.startswith("#")} <= set(seen.ids)


@pytest.mark.parametrize("answers", [(), (AnswersInSecond(3),)], ids=["none", "zeros"])
def test_no_answer_at_all_draws_nothing(answers: tuple[AnswersInSecond, ...]) -> None:
    silent = replace(full_report().troubles[0], answers=answers)

    assert "<svg" not in load_report_to_html(replace(empty_report(), troubles=(silent,)))


def test_hostile_names_are_escaped_everywhere() -> None:
    report = full_report()
    assert report.explained is not None
    route = replace(report.explained.routes[0], route=HOSTILE)
    pool = replace(report.explained.pools[0], name=HOSTILE)
    timeline = replace(report.troubles[0], name=HOSTILE, setting=HOSTILE, facts=((HOSTILE,) * 2,))

    html = load_report_to_html(
        replace(
            report,
            application=HOSTILE,
            target=HOSTILE,
            database=HOSTILE,
            probes=(ProbeVerdict(HOSTILE, Verdict.PASS, HOSTILE),),
            explained=replace(report.explained, routes=(route,), pools=(pool,)),
            phases=(replace(report.phases[0], name=HOSTILE, note=HOSTILE),),
            troubles=(timeline,),
        )
    )
    assert "<script" not in html
    assert not [each for each in parsed(html).attributes if each.startswith("on")]
    assert unescape(html).count(HOSTILE) >= 12


def test_a_trouble_keeps_the_capitals_of_its_name() -> None:
    report = full_report()
    trouble = replace(report.troubles[0], name="network cut by TCP at PostgreSQL")

    page = load_report_to_html(replace(report, troubles=(trouble,)))

    assert re.search(r"<h3>Network cut by TCP at PostgreSQL\b", page)
