"""The screen of a load run says what to set and why, first, and fits 80 columns."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from harness.checks.load.classification import classified
from harness.findings import ProbeVerdict, Verdict
from harness.report.load_content import LoadReport
from harness.report.load_text import render_load_text
from tests.checks.load.recorded import CALM, EXHAUSTED
from tests.report.load_reports import (
    empty_report,
    full_report,
    open_ended_report,
    sized_report,
    unreachable_report,
)

REPORTS = pytest.mark.parametrize(
    "made",
    [full_report, sized_report, unreachable_report, open_ended_report, empty_report],
)
HOSTILE = "\x1b[31mred\nGET /x"


def _screen(report: LoadReport, *, width: int = 80) -> str:
    file = io.StringIO()
    render_load_text(report, Console(file=file, width=width, color_system=None))
    return file.getvalue()


def _words(screen: str) -> str:
    """The screen as one line, as if it had not been wrapped."""
    return " ".join(screen.split())


@REPORTS
@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_console(made: Callable[[], LoadReport], width: int) -> None:
    screen = _screen(made(), width=width)

    assert [line for line in screen.splitlines() if len(line) > width] == []


@REPORTS
def test_a_log_has_no_escape_codes_and_no_trailing_blanks(made: Callable[[], LoadReport]) -> None:
    screen = _screen(made())

    assert "\x1b" not in screen
    assert all(line == line.rstrip() for line in screen.splitlines())


def test_the_verdict_is_the_first_word() -> None:
    assert _screen(full_report()).startswith("FAIL: 19 probes: 13 pass, 3 fail, 3 skipped")


def test_what_to_set_comes_before_every_table() -> None:
    screen = _screen(full_report())

    assert "\n  set       pool_size=7, max_overflow=2 in each process\n" in screen
    assert "\n  interval  7 in each, over 3 rounds\n" in screen
    assert screen.index("pool_size=7") < screen.index("WHY REQUESTS ARE SLOW")
    assert screen.index("WHY REQUESTS ARE SLOW") < screen.index("PROBES")


def test_the_fleet_is_told_once_with_what_all_pools_come_to() -> None:
    words = _words(_screen(full_report()))

    arithmetic = "0.8 x (100 - 3 reserved - 2 others) / (2 processes x 2 replicas x 2 surge) = 9"
    assert words.count(arithmetic) == 1
    assert "9 x 8 pools are 72 of all" in words


def test_what_would_change_the_size_is_told() -> None:
    assert "unless 1155 requests a second or more with 16 connections" in _words(
        _screen(full_report())
    )


def test_the_curve_marks_the_knee_and_the_recommended_size() -> None:
    lines = _screen(sized_report()).splitlines()

    assert [line.split()[0] for line in lines if line.endswith("  knee")] == ["8"]
    assert [line.split()[0] for line in lines if line.endswith("  recommended")] == ["2"]


def test_a_target_beyond_the_cpu_needs_processes_and_sets_nothing() -> None:
    screen = _screen(unreachable_report())

    assert "no pool size reaches 3500 requests a second with 1 process: at least 4" in _words(
        screen
    )
    assert "  set  " not in screen
    assert "recommended" not in screen


def test_the_least_of_an_open_end_is_nothing_to_set() -> None:
    screen = _screen(open_ended_report())

    assert "  answer    at least 48: throughput rose to the end of the sweep" in screen
    assert "  interval  48 or more, over 3 rounds" in screen
    assert "  set  " not in screen


def test_the_cause_is_one_sentence_with_its_place_and_its_evidence() -> None:
    screen = _screen(full_report())

    assert "  held-idle: a connection is held for 206 ms and executes for 5.0 ms" in screen
    assert "  where     shop/orders.py:12 in list_orders" in screen
    assert "  evidence  held 206 ms; without SQL 201 ms; checkouts 608;" in screen


def test_nothing_slow_is_said_without_a_cause() -> None:
    told = classified([CALM])

    screen = _screen(replace(empty_report(), classification=told))
    assert "  nobody waited: p50 8.0 ms, p95 8.0 ms;" in screen
    assert "evidence" not in screen


def test_a_cause_that_nobody_knows_is_said_to_be_not_known() -> None:
    told = classified([EXHAUSTED])

    assert "  not known: " in _screen(replace(empty_report(), classification=told))


def test_what_was_not_tried_stands_apart_with_its_reason() -> None:
    answered, skipped = _screen(full_report()).split("NOT TRIED")

    assert not re.search(r"^ *max_connections ", answered, re.MULTILINE)
    assert re.search(r"max_connections +skipped +the server is not ours: --host", skipped)


def test_a_request_is_told_in_four_parts() -> None:
    screen = _screen(full_report())

    assert re.search(r"GET /orders +608 +1\.40 s +5 ms +201 ms +40 ms", screen)


def test_each_trouble_says_its_verdict_and_the_way_back() -> None:
    screen = _screen(full_report())

    assert "  backends killed  pass\n" in screen
    assert "    from 10 s to 10.4 s; recovered 1.50 s after its end\n" in screen
    assert "    writes lost 0 of 412; connections back 8 of 8\n" in screen
    assert "    from 10 s to 14 s; not recovered while watched\n" in screen


def test_names_of_the_application_cannot_steer_the_terminal() -> None:
    report = full_report()
    probe = ProbeVerdict(HOSTILE, Verdict.PASS, HOSTILE)
    timeline = replace(report.troubles[0], name=HOSTILE, setting=HOSTILE)
    assert report.explained is not None
    route = replace(report.explained.routes[0], route=HOSTILE)

    screen = _screen(
        replace(
            report,
            application=HOSTILE,
            target=HOSTILE,
            probes=(probe,),
            explained=replace(report.explained, routes=(route,)),
            troubles=(timeline,),
        )
    )
    assert "\x1b" not in screen
    assert screen.count("[31mred GET /x") >= 6


def test_a_curve_that_no_answer_rests_on_is_shown_as_that() -> None:
    report = sized_report()
    assert report.recommendation is not None
    undecided = replace(
        report.recommendation,
        verdict=Verdict.INCONCLUSIVE,
        summary="the machine was busy",
        pool_size=None,
        bounds=None,
    )

    shown = _words(_screen(replace(report, recommendation=undecided)))

    assert "curve measured, not judged size req/s" in shown
    assert "not judged" not in _words(_screen(report))


def test_a_headline_of_many_probes_is_wrapped() -> None:
    every = tuple(ProbeVerdict(f"probe {each}", each, "") for each in Verdict)

    lines = _screen(replace(full_report(), probes=every * 3)).splitlines()

    assert lines[0].startswith("FAIL: 15 probes: 3 pass")
    assert max(map(len, lines)) <= 80


def test_a_curve_of_minutes_fits_the_screen() -> None:
    report = sized_report()
    told = report.recommendation
    assert told is not None
    slow = tuple(
        replace(
            point,
            p50_seconds=125.4,
            p95_seconds=1234.0,
            p99_seconds=3600.0,
            wait_seconds=119.6,
            hold_seconds=61.0,
        )
        for point in told.curve
    )

    screen = _screen(replace(report, recommendation=replace(told, curve=slow)))

    assert re.search(r"125 s +1,234 s +3,600 s +120 s +61 s", screen)
    assert max(map(len, screen.splitlines())) <= 80
