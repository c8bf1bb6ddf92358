"""The page loads nothing, lets nothing in, and leaves nothing out."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html import unescape
from itertools import pairwise

import matplotlib as mpl
import pytest

from harness.findings import Allowance, Judgement
from harness.report.charts.statements import MOST_BARS
from harness.report.content import Report
from harness.report.html import to_html
from tests.report.pages import parsed

HOSTILE = "<script>alert(1)</script>\" onload='x' $\\alpha$ {{ 7 * 7 }}"


def test_the_page_loads_nothing(sample_report: Report) -> None:
    html = to_html(sample_report)

    outside = [each for each in parsed(html).addresses if not each.startswith(("#", "data:,"))]
    assert outside == []
    assert not re.search(r"https?://|@import|url\((?!#)|<!DOCTYPE svg|<\?xml", html)
    assert "script" not in parsed(html).tags


def test_every_link_has_a_target_and_every_id_is_unique(sample_report: Report) -> None:
    page = parsed(to_html(sample_report))

    assert [each for each, count in Counter(page.ids).items() if count > 1] == []
    assert {each[1:] for each in page.addresses if each.startswith("#")} <= set(page.ids)


def test_headings_skip_no_level(sample_report: Report) -> None:
    levels = [
        int(tag[1]) for tag in parsed(to_html(sample_report)).tags if tag in {"h1", "h2", "h3"}
    ]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_finding_is_there_with_its_identity(sample_report: Report) -> None:
    html = unescape(to_html(sample_report))
    judgement = sample_report.judgement

    assert all(f'identity = "{finding.identity}"' in html for finding in judgement.open)
    assert all(finding.identity in html for finding, _ in judgement.accepted)
    assert all(allowance.identity in html for allowance in judgement.unmatched)


def test_each_chart_is_there_with_a_title_and_a_caption(sample_report: Report) -> None:
    html = to_html(sample_report)

    for name in ("statements", "pool-0", "exhaustion"):
        assert f'role="img" aria-labelledby="{name}-title"' in html
        assert f'<title id="{name}-title">' in html
    assert html.count("<figcaption>") == html.count("<svg") == 3


def test_the_timeline_counts_every_outcome_and_marks_block_and_recovery(
    sample_report: Report,
) -> None:
    drawing = to_html(sample_report).split('id="exhaustion-title"')[1].split("</svg>")[0]

    words = re.findall(r"<text[^>]*>([^<]*)</text>", drawing)
    assert {"ok: 70", "shed: 40", "error: 2", "refused: 1", "hang: 1"} <= set(words)
    assert {"all tables locked", "recovered after 740 ms", "pool timeout"} <= set(words)


def test_hostile_names_are_escaped_everywhere(sample_report: Report) -> None:
    finding = replace(
        sample_report.judgement.open[0],
        label=HOSTILE,
        anchor=HOSTILE,
        title=HOSTILE,
        fix=HOSTILE,
    )
    row = replace(sample_report.endpoints[0], endpoint=HOSTILE, site=HOSTILE, note=HOSTILE)
    assert sample_report.load is not None
    pool = replace(sample_report.load.pools[0], name=HOSTILE)
    report = replace(
        sample_report,
        application=HOSTILE,
        endpoints=(row,),
        judgement=Judgement((finding,), (), (Allowance(HOSTILE, HOSTILE),)),
        load=replace(sample_report.load, pools=(pool,)),
    )

    html = to_html(report)
    assert "<script" not in html
    assert not [each for each in parsed(html).attributes if each.startswith("on")]
    assert unescape(html).count(HOSTILE) >= 8


def test_the_same_report_is_the_same_page(sample_report: Report) -> None:
    assert to_html(sample_report) == to_html(sample_report)


def test_drawing_leaves_the_settings_of_matplotlib_alone(sample_report: Report) -> None:
    before = dict(mpl.rcParams)

    to_html(sample_report)

    assert dict(mpl.rcParams) == before


def test_the_charts_take_their_colours_from_the_page(sample_report: Report) -> None:
    drawings = "".join(re.findall(r"<svg.*?</svg>", to_html(sample_report), flags=re.DOTALL))

    assert "var(--ink-text, #4b5565)" in drawings
    assert re.findall(r"(?<!, )#[0-9a-f]{6}\b", drawings) == []


def test_an_empty_report_is_a_page_without_charts(empty_report: Report) -> None:
    html = to_html(empty_report)

    assert "No open findings." in html
    assert "<svg" not in html


def test_no_requests_and_no_times_draw_nothing(sample_report: Report) -> None:
    assert sample_report.load is not None
    assert sample_report.exhaustion is not None
    report = replace(
        sample_report,
        endpoints=(replace(sample_report.endpoints[0], status=None),),
        load=replace(sample_report.load, routes=(), pools=()),
        exhaustion=replace(sample_report.exhaustion, outcomes=(), recovery_seconds=None),
    )

    assert "<svg" not in to_html(report)


def test_zero_and_infinite_times_are_drawn_without_a_warning(sample_report: Report) -> None:
    assert sample_report.load is not None
    assert sample_report.exhaustion is not None
    pool = sample_report.load.pools[0]
    odd = replace(
        pool.wait,
        p95_seconds=float("inf"),
        bounds_seconds=(0.0, 1.0, float("inf")),
        counts=(5, 0, 3),
    )
    at_once = replace(sample_report.exhaustion.outcomes[0], seconds=0.0)
    report = replace(
        sample_report,
        load=replace(sample_report.load, pools=(replace(pool, wait=odd),)),
        exhaustion=replace(sample_report.exhaustion, outcomes=(at_once,), pool_timeout_seconds=0.0),
    )

    assert to_html(report).count("<svg") == 3


def test_names_in_any_script_are_drawn_without_a_warning(sample_report: Report) -> None:
    row = replace(sample_report.endpoints[0], endpoint="GET /\N{CJK UNIFIED IDEOGRAPH-6CE8}")

    html = to_html(replace(sample_report, endpoints=(row,)))
    assert "GET /\N{CJK UNIFIED IDEOGRAPH-6CE8}</text>" in html


def test_many_endpoints_keep_the_chart_short_and_the_table_whole(sample_report: Report) -> None:
    first = sample_report.endpoints[0]
    rows = tuple(replace(first, endpoint=f"GET /n/{n}", statements=n) for n in range(80))

    html = to_html(replace(sample_report, endpoints=rows))
    assert f"SQL statements of {MOST_BARS} endpoints" in html
    assert html.count("GET /<wbr>n/<wbr>") == 80


@pytest.mark.parametrize("name", ["rich", "jinja2", "matplotlib"])
def test_the_package_loads_no_renderer(name: str) -> None:
    code = f"import sys, harness.report; sys.exit({name!r} in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
