"""The verdict screen at 80 columns, in a CI log, and with identifiers that do not fit."""

from __future__ import annotations

import io
import re
import tomllib
from dataclasses import replace
from textwrap import dedent
from typing import Literal

import pytest
from rich.console import Console

from harness.findings import Allowance, Finding, Judgement, SourceLine
from harness.report.content import Report
from harness.report.text import render_text


def _screen(report: Report, *, width: int = 80, is_terminal: bool = False) -> str:
    file = io.StringIO()
    colours: Literal["standard"] | None = "standard" if is_terminal else None
    console = Console(
        file=file,
        width=width,
        force_terminal=is_terminal,
        color_system=colours,
        legacy_windows=False,
    )
    render_text(report, console)
    return file.getvalue()


def _has_block(screen: str, block: str) -> bool:
    return dedent(block).strip("\n") in screen


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_console(sample_report: Report, width: int) -> None:
    screen = _screen(sample_report, width=width)

    assert [line for line in screen.splitlines() if len(line) > width] == []


def test_evidence_that_is_longer_than_a_line_is_wrapped(sample_report: Report) -> None:
    sql = "SELECT " + ", ".join(f"orders.column_{number}" for number in range(9))
    finding = replace(sample_report.judgement.open[0], evidence=(("statement", sql), ("ran", "2")))

    screen = _screen(replace(sample_report, judgement=Judgement((finding,), (), ())))

    assert max(map(len, screen.splitlines())) <= 80
    assert f"statement {sql}" in " ".join(screen.split())


def test_a_function_that_does_not_fit_beside_its_line_is_below_it(sample_report: Report) -> None:
    site = SourceLine("shop/" + "deep/" * 6 + "orders.py", 95, "count_in_the_session_of_all_users")
    finding = replace(sample_report.judgement.open[0], site=site)

    lines = _screen(replace(sample_report, judgement=Judgement((finding,), (), ()))).splitlines()

    at = next(number for number, line in enumerate(lines) if line.endswith("orders.py:95"))
    assert lines[at + 1].strip() == "in count_in_the_session_of_all_users"
    assert max(map(len, lines)) <= 80


def test_a_log_has_no_escape_codes_and_no_trailing_blanks(sample_report: Report) -> None:
    screen = _screen(sample_report)

    assert "\x1b" not in screen
    assert all(line == line.rstrip() for line in screen.splitlines())


def test_colour_adds_nothing_but_escape_codes(sample_report: Report) -> None:
    coloured = _screen(sample_report, is_terminal=True)

    assert "\x1b[1;31mFAIL\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == _screen(sample_report)


def test_a_finding_says_where_to_edit_what_to_change_and_how_to_accept(
    sample_report: Report,
) -> None:
    screen = _screen(sample_report)

    assert _has_block(
        screen,
        """
        FAIL  n-plus-one  Order.items @ GET /orders/recent
          13 lazy loads of Order.items for 13 parents while the response was serialised;
          the number grows with the rows
          edit      shop/api/orders.py:28 in list_orders
                    orders = (await session.scalars(select(Order))).unique().all()
          change    select(Order).options(selectinload(Order.items))
          see       shop/schemas.py:31 in OrderOut.model_validate (attribute accessed)
                    items: list[Item]
          evidence  statements 14; parents 13; database time 31.2 ms
                    growth per row 1.0 (n = 2, 3)
          accept    add to pyproject.toml:
                    [[tool.harness.allow]]
                    identity = "n-plus-one Order.items @ GET /orders/recent"
                    reason = "say why here"
        """,
    )


def test_the_entry_to_paste_is_toml_that_names_the_finding(sample_report: Report) -> None:
    finding = replace(sample_report.judgement.open[0], label='a "quoted" \\ label')
    report = replace(sample_report, judgement=Judgement((finding,), (), ()))

    lines = [line.strip() for line in _screen(report, width=200).splitlines()]
    start = next(n for n, line in enumerate(lines) if line.endswith("[[tool.harness.allow]]"))
    entry = tomllib.loads("\n".join(lines[start : start + 3]))

    assert entry["tool"]["harness"]["allow"][0]["identity"] == finding.identity


def test_an_accepted_finding_gives_its_repair_and_its_reason(sample_report: Report) -> None:
    screen = _screen(sample_report)

    assert _has_block(
        screen,
        """
        ACCEPTED  n-plus-one  Order.items @ GET /orders/faulty
          50 lazy loads of Order.items for 50 parents while the response was serialised;
          the number grows with the rows
          edit      shop/api/faults.py:112 in list_orders
                    orders = (await session.scalars(select(Order))).unique().all()
          change    select(Order).options(selectinload(Order.items))
          see       shop/schemas.py:31 in OrderOut.model_validate (attribute accessed)
          reason    planted: the twin shows the cure
        """,
    )


def test_a_planted_fault_names_its_line_and_its_twin_passes(sample_report: Report) -> None:
    lines = _screen(sample_report).splitlines()

    start = lines.index("ENDPOINTS, ONE REQUEST EACH")
    assert lines[start + 1 : start + 6] == [
        "  endpoint                               status  stmts  trips      db  verdict",
        "  GET /health                               200      0      0    0 ms  pass",
        "  GET /orders                               200      2      2  4.5 ms  pass",
        "  GET /orders/faulty                        200     51     51  114 ms  warn",
        "    n-plus-one Order.items at shop/api/faults.py:112 (accepted)",
    ]


def test_a_wide_console_has_the_notes_beside_the_numbers(sample_report: Report) -> None:
    screen = _screen(sample_report, width=160)

    row = next(line for line in screen.splitlines() if line.startswith("  GET /orders/faulty"))
    assert row.endswith("warn     n-plus-one Order.items at shop/api/faults.py:112 (accepted)")


def test_a_pool_shows_wait_and_hold_and_what_was_left(sample_report: Report) -> None:
    screen = _screen(sample_report)

    assert "AsyncAdaptedQueuePool(5+10)@shop wait      2,299  0.2 ms   61 ms  1.92 s" in screen
    assert "AsyncAdaptedQueuePool(5+10)@shop hold      2,299   12 ms  390 ms  2.20 s" in screen
    assert "peak 15 of 15 checked out, 22 waiting; 3 timeouts; 1 still out at rest" in screen


def test_exhaustion_counts_outcomes_and_tells_of_the_recovery(sample_report: Report) -> None:
    screen = _screen(sample_report)

    assert "  shed     503: turned away        40         40  2.01 s  2.02 s" in screen
    assert "recovered 740 ms after the block ended" in screen


def test_a_pool_that_users_alone_ran_dry_blocks_no_statement(sample_report: Report) -> None:
    assert sample_report.exhaustion is not None
    story = replace(sample_report.exhaustion, has_served_while_dry=True)

    screen = _screen(replace(sample_report, exhaustion=story))
    assert "more users than it serves" in screen
    assert "recovered 740 ms after the users left" in screen
    assert "block" not in screen.partition("EXHAUSTION")[2]


def test_an_application_that_stays_down_is_said_to(sample_report: Report) -> None:
    assert sample_report.exhaustion is not None
    story = replace(sample_report.exhaustion, recovery_seconds=None)

    screen = _screen(replace(sample_report, exhaustion=story))
    assert "not recovered while watched" in screen


def test_the_last_line_is_the_verdict_with_its_counts(sample_report: Report) -> None:
    last = _screen(sample_report).splitlines()[-1]

    assert last == ("FAIL: 2 open, 2 accepted; failed 1/8 endpoints, 1/6 probes; 1 inconclusive")


def test_an_empty_report_is_three_short_blocks(empty_report: Report) -> None:
    screen = _screen(empty_report)

    assert screen.endswith(
        "NO OPEN FINDINGS\n\nINCONCLUSIVE: 0 open, 0 accepted; 0 endpoints, 0 probes\n"
    )


def test_an_identifier_wider_than_the_console_is_never_cut(sample_report: Report) -> None:
    path = "/" + "/".join(f"{{part_{n}}}" for n in range(12))
    row = replace(sample_report.endpoints[0], endpoint=f"GET {path}")
    report = replace(sample_report, endpoints=(row,))

    assert f"  GET {path}\n" in _screen(report, width=60)


def test_markup_and_control_characters_in_names_have_no_effect(sample_report: Report) -> None:
    hostile: Finding = replace(
        sample_report.judgement.open[0], label="[red]x[/red]\x1b[2J\r\n", title="one\ntwo"
    )
    allowance = Allowance("\x1b]0;title\x07", "none")
    judgement = Judgement((hostile,), (), (allowance,))

    screen = _screen(replace(sample_report, judgement=judgement))
    assert "[red]x[/red]" in screen
    assert "one two" in screen
    assert not {"\x1b", "\x07", "\r"} & set(screen)


def test_a_log_that_holds_ascii_only_gets_a_report_too(sample_report: Report) -> None:
    log = io.BytesIO()
    finding = replace(sample_report.judgement.open[0], title="Gro\N{LATIN SMALL LETTER SHARP S}e")
    report = replace(sample_report, judgement=Judgement((finding,), (), ()))

    with io.TextIOWrapper(log, encoding="ascii", write_through=True) as file:
        render_text(report, Console(file=file, width=60))
        text = log.getvalue().decode("ascii")
    assert "Gro?e" in text
