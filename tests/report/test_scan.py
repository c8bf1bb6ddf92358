"""The scan on a screen of 80 columns, and in JSON."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from harness.checks.growth import Trend
from harness.findings import Allowance, Finding, Judgement, Severity, SourceLine, Verdict
from harness.report.scan_content import ScanReport, ScanRow, ShapeRow, TableRow
from harness.report.scan_json import load_scan_schema, scan_to_json
from harness.report.scan_text import render_scan

GROWING = ShapeRow(
    fingerprint="0123456789ab",
    statement="SELECT posts.id FROM posts WHERE posts.author_id = ?",
    counts=(2, 3, 10),
    trend=Trend.GROWING,
    slope=1.0,
    is_per_item=True,
    relationship="User.posts",
    site="shop/users.py:31",
)
UNCLEAR = replace(GROWING, counts=(0, 0, 7), trend=Trend.UNCLEAR, slope=0.0, relationship=None)
FINDING = Finding(
    kind="n-plus-one",
    label="User.posts",
    anchor="GET /users",
    severity=Severity.ERROR,
    title="User.posts was loaded 10 times, once for each of 10 parents",
    fix="add .options(selectinload(User.posts)) to the query that loads the parents",
    site=SourceLine("shop/users.py", 28, "list_users", "users = await session.scalars(query)"),
    evidence=(("growth", "2, 3, 10 runs at n = 2, 3, 10: 1 for each further item"),),
)


def row(endpoint: str, *shapes: ShapeRow, note: str = "") -> ScanRow:
    return ScanRow(
        endpoint=endpoint,
        site="shop/users.py:20",
        path="/users?limit=10",
        status=200,
        statements=(3, 4, 11),
        items=(2, 3, 10),
        trend=Trend.GROWING if shapes else Trend.CONSTANT,
        verdict=Verdict.FAIL if shapes else Verdict.PASS,
        note=note,
        shapes=shapes,
    )


@pytest.fixture
def report() -> ScanReport:
    """One endpoint of each kind."""
    skipped = replace(
        row("GET /me", note="answered 401: put the dependency under 'overrides'"),
        status=401,
        statements=(),
        items=(),
        trend=None,
        verdict=Verdict.SKIPPED,
    )
    return ScanReport(
        harness_version="0.1.0",
        application="shop.main:app",
        database="PostgreSQL 18.4, embedded",
        started_at="2026-01-02T03:04:05+00:00",
        seconds=4.2,
        sizes=(2, 3, 10),
        verdict=Verdict.FAIL,
        endpoints=(
            row("GET /users", GROWING, UNCLEAR),
            row(
                "GET /a/route/that/is/far/too/long/for/the/first/column/of/a/table/and/a/line/{id}"
            ),
            skipped,
        ),
        tables=(
            TableRow("users", 10, 10, ""),
            TableRow("seals", 10, 0, "a CHECK is_sealed: CHECK (md5(word) ~~ 'ffffff%'::text)"),
        ),
        judgement=Judgement((FINDING,), (), ()),
    )


def rendered(report: ScanReport, *, width: int = 80) -> str:
    output = io.StringIO()
    render_scan(report, Console(file=output, width=width, force_terminal=False))
    return output.getvalue()


def test_a_row_has_the_statements_at_every_size(report: ScanReport) -> None:
    lines = [line.split() for line in rendered(report).splitlines()]

    assert ["GET", "/users", "200", "3", "4", "11", "10", "growing", "fail"] in lines


def test_a_finding_stands_below_its_endpoint_with_its_growth(report: ScanReport) -> None:
    text = rendered(report)

    assert "    n-plus-one User.posts at shop/users.py:28\n" in text
    assert "    2, 3, 10 runs at n = 2, 3, 10: 1 for each further item\n" in text


def test_what_is_unclear_names_its_statement(report: ScanReport) -> None:
    assert "unclear: 0, 0, 7 x SELECT posts.id" in rendered(report)


def test_a_statement_of_a_finding_is_not_named_again(report: ScanReport) -> None:
    assert "growing: 2, 3, 10 x" not in rendered(report)


def test_what_was_not_measured_says_why(report: ScanReport) -> None:
    text = rendered(report)

    assert "NOT MEASURED: 1 ENDPOINT" in text
    assert "answered 401" in text


def test_a_table_without_rows_says_what_refused_them(report: ScanReport) -> None:
    text = " ".join(rendered(report).split())

    assert "1 of 2 tables filled" in text
    assert "a CHECK is_sealed: CHECK (md5(word) ~~ 'ffffff%'::text)" in text


def test_the_last_line_is_the_verdict(report: ScanReport) -> None:
    assert rendered(report).splitlines()[-1] == (
        "FAIL: 1 open, 0 accepted; 1 growing, 2 of 3 endpoints measured"
    )


def test_a_scan_that_measured_nothing_says_so(report: ScanReport) -> None:
    empty = replace(report, verdict=Verdict.INCONCLUSIVE, endpoints=(), tables=())

    assert "INCONCLUSIVE: no endpoint could be measured" in rendered(empty)


def test_nothing_is_wider_than_the_screen_but_what_must_be_copied(report: ScanReport) -> None:
    wide = [line for line in rendered(report).splitlines() if len(line) > 80]

    assert [line.strip() for line in wide] == [report.endpoints[1].endpoint]


def test_an_accepted_finding_says_so_below_its_endpoint(report: ScanReport) -> None:
    accepted = Judgement((), ((FINDING, Allowance(FINDING.identity, "known")),), ())

    assert "shop/users.py:28 (accepted)" in rendered(replace(report, judgement=accepted))


def test_the_json_keeps_to_its_schema(report: ScanReport) -> None:
    Draft202012Validator.check_schema(load_scan_schema())

    assert not list(
        Draft202012Validator(load_scan_schema()).iter_errors(json.loads(scan_to_json(report)))
    )


@pytest.mark.parametrize("spoiled", [{"sizes": [2]}, {"verdict": "fine"}, {"tables": [{}]}])
def test_the_schema_rejects_a_wrong_document(
    report: ScanReport, spoiled: dict[str, object]
) -> None:
    document = json.loads(scan_to_json(report)) | spoiled

    assert list(Draft202012Validator(load_scan_schema()).iter_errors(document))


def test_the_order_of_endpoints_does_not_matter(report: ScanReport) -> None:
    turned = replace(report, endpoints=report.endpoints[::-1], tables=report.tables[::-1])

    assert scan_to_json(turned) == scan_to_json(report)
