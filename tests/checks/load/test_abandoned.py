"""Clients that have left: what goes on for them is told by how long it does."""

from dataclasses import replace

import pytest

from harness.capture.abandonment import Abandonment, Glimpse, HeldNow, RouteAnswers, glimpse_of
from harness.capture.windows import Reading, ServerWindow, UnreadProcess
from harness.checks.load.abandoned import abandoned
from harness.findings import SourceLine, Verdict
from tests.checks.load.building import ENDPOINT, LINE, ROUTE, with_client, with_pool, with_server
from tests.checks.load.recorded import CALM, LEAKED

_GONE = 100.0
_STATEMENT = HeldNow(ROUTE, 3.0, is_executing=True, has_request_ended=False, site=LINE)


def _at(after: float, *held: HeldNow, active: int | None = None) -> Glimpse:
    return Glimpse(_GONE + after, len(held) if active is None else active, held)


def _facts(*glimpses: Glimpse) -> Abandonment:
    return Abandonment(CALM, left=40, gone_seconds=_GONE, glimpses=(_at(-0.1), *glimpses))


def test_an_application_that_comes_to_rest_at_once_passes() -> None:
    judged = abandoned(_facts(_at(0.1, _STATEMENT), _at(0.2), _at(0.3)))

    assert judged.verdict.verdict is Verdict.PASS
    assert judged.verdict.summary == (
        "40 clients left before the answer; all was at rest 100 ms after the last, "
        f"{CALM.pools[0].checkouts} checkouts came back"
    )


def test_what_is_in_flight_at_the_end_has_been_left_too() -> None:
    facts = replace(_facts(_at(0.2)), left=0, glimpses=(_at(-0.1, active=3), _at(0.2)))

    assert abandoned(facts).verdict.summary.startswith("3 clients left before the answer")


def test_who_left_before_anybody_was_answered_has_sent_a_request_too() -> None:
    nobody = with_client(CALM, requests=0, ok=0)
    going_on = (_at(-0.1, active=5), _at(2.0, _STATEMENT))

    judged = abandoned(replace(_facts(), window=nobody, left=0, glimpses=going_on))

    assert [finding.kind for finding in judged.findings] == ["connection-after-client"]


def test_nothing_passes_in_the_name_of_a_process_that_was_not_read() -> None:
    silent = UnreadProcess(4711, Reading.REST, "it timed out")

    judged = abandoned(replace(_facts(_at(0.1)), window=replace(CALM, unread=(silent,))))

    assert judged.verdict.verdict is Verdict.INCONCLUSIVE
    assert judged.verdict.summary.startswith("process 4711 was not read")


def test_a_statement_that_goes_on_without_its_client_is_told_with_its_line() -> None:
    judged = abandoned(_facts(_at(1.0, _STATEMENT), _at(2.2, _STATEMENT, _STATEMENT), _at(3.0)))

    (finding,) = judged.findings
    assert judged.verdict.verdict is Verdict.WARN
    assert finding.identity == f"connection-after-client statement @ {ROUTE}"
    assert finding.site == LINE
    assert finding.title == "a statement goes on for 2.2 s after its client has left"
    assert "statement_timeout" in finding.fix
    assert ("connections at once", "2") in finding.evidence


def test_a_connection_that_waits_for_something_else_has_another_fix() -> None:
    idle = replace(_STATEMENT, is_executing=False)

    (finding,) = abandoned(_facts(_at(2.0, idle))).findings

    assert finding.identity == f"connection-after-client idle @ {ROUTE}"
    assert "statement_timeout" not in finding.fix


def test_a_statement_is_told_though_none_ran_at_the_last_moment() -> None:
    between = replace(_STATEMENT, is_executing=False)

    (finding,) = abandoned(
        _facts(_at(2.0, _STATEMENT), _at(2.1, _STATEMENT), _at(2.2, between))
    ).findings

    assert finding.identity == f"connection-after-client statement @ {ROUTE}"
    assert "for 2.2 s" in finding.title


def test_work_without_a_connection_is_told_too() -> None:
    (finding,) = abandoned(_facts(_at(2.0, active=3))).findings

    assert finding.identity == "work-after-client requests @ the whole application"
    assert finding.title.startswith("3 requests without a connection went on for 2.0 s")


def test_work_without_a_connection_has_the_route_that_it_is_seen_to_end_on() -> None:
    going_on = replace(_at(2.0, active=3), ended={ROUTE: 40, "GET /tags": 7})
    over = replace(_at(4.0), ended={ROUTE: 43, "GET /tags": 7})

    (finding,) = abandoned(_facts(_at(1.0, active=4), going_on, over)).findings

    assert finding.identity == f"work-after-client requests @ {ROUTE}"
    assert finding.title.startswith("3 requests without a connection went on for 2.0 s")
    assert finding.site == ENDPOINT


@pytest.mark.parametrize(
    "last",
    [
        replace(_at(4.0), ended={"GET /tags": 7}),
        replace(_at(4.0), ended={ROUTE: 3, "GET /tags": 2}),
        replace(_at(4.0), ended={ROUTE: 120, "GET /tags": 21}),
        replace(_at(4.0), ended={ROUTE: 30, "GET /tags": 20}),
    ],
    ids=["none of its process", "another one", "one more", "another one, by chance as many"],
)
def test_work_has_no_route_where_the_last_glimpse_is_of_other_processes(last: Glimpse) -> None:
    going_on = replace(_at(2.0, active=3), ended={ROUTE: 40, "GET /tags": 7})

    (finding,) = abandoned(_facts(going_on, last)).findings

    assert finding.identity == "work-after-client requests @ the whole application"
    assert finding.title.startswith("3 requests without a connection went on for 2.0 s")


def test_an_application_that_is_at_rest_at_once_has_no_time_to_tell() -> None:
    assert "all was at rest when the last had gone, " in abandoned(_facts(_at(0.1))).verdict.summary


def test_requests_that_wait_for_a_held_connection_are_not_told_again() -> None:
    judged = abandoned(_facts(_at(2.0, _STATEMENT, active=4)))

    assert [finding.kind for finding in judged.findings] == ["connection-after-client"]


@pytest.mark.parametrize(
    "held",
    [replace(_STATEMENT, has_request_ended=True), replace(_STATEMENT, route="")],
    ids=["of a request that has ended", "outside of requests"],
)
def test_what_no_client_waited_for_is_not_told(held: HeldNow) -> None:
    assert abandoned(_facts(_at(2.0, held))).findings == ()


def test_a_connection_that_never_comes_back_fails() -> None:
    judged = abandoned(replace(_facts(_at(0.1)), window=LEAKED))

    assert judged.verdict.verdict is Verdict.FAIL
    assert [finding.kind for finding in judged.findings] == ["connection-leak"]


def test_connections_that_leaving_destroys_are_counted_and_no_fault() -> None:
    pool = CALM.pools[0]
    churned = with_pool(CALM, creations=(pool.size or 0) + 3, peak_checked_out=1)

    judged = abandoned(replace(_facts(_at(0.1)), window=churned))

    assert judged.verdict.verdict is Verdict.PASS
    assert judged.verdict.summary.endswith(
        "came back; 3 connections thrown away in the middle of a statement"
    )


def test_overflow_connections_have_other_reasons() -> None:
    size = CALM.pools[0].size or 0
    churned = with_pool(CALM, creations=200, max_overflow=5, peak_checked_out=size + 3)

    judged = abandoned(replace(_facts(_at(0.1)), window=churned))

    assert "thrown away" not in judged.verdict.summary


def test_a_route_that_answers_no_more_fails() -> None:
    broken = RouteAnswers(ROUTE, good_before=9, good_after=0, failed_after=4)
    judged = abandoned(replace(_facts(_at(0.1)), answers=(broken,)))

    (finding,) = judged.findings
    assert judged.verdict.verdict is Verdict.FAIL
    assert finding.identity == f"broken-after-client answers @ {ROUTE}"


@pytest.mark.parametrize(
    "answers",
    [
        RouteAnswers(ROUTE, good_before=0, good_after=0, failed_after=4),
        RouteAnswers(ROUTE, good_before=9, good_after=1, failed_after=4),
        RouteAnswers(ROUTE, good_before=9, good_after=0, failed_after=0),
    ],
    ids=["never answered", "answers now and then", "was not asked"],
)
def test_what_leaving_did_not_break_is_left_alone(answers: RouteAnswers) -> None:
    assert abandoned(replace(_facts(_at(0.1)), answers=(answers,))).findings == ()


@pytest.mark.parametrize(("seconds", "told"), [(0.0, "none"), (30.0, "30.0 s")])
def test_the_limit_of_statements_is_evidence(seconds: float, told: str) -> None:
    assert isinstance(CALM.server, ServerWindow)
    limited = with_server(CALM, statement_timeout_seconds=seconds)
    facts = replace(_facts(_at(2.0, _STATEMENT)), window=limited, executing_after=2)

    (finding,) = abandoned(facts).findings

    assert ("statement_timeout of the role", told) in finding.evidence
    assert ("on the server after that", "2 statements") in finding.evidence


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        (replace(_facts(_at(0.1)), left=0), Verdict.INCONCLUSIVE),
        (_facts(), Verdict.INCONCLUSIVE),
        (
            replace(_facts(_at(0.1)), window=replace(CALM, processes=0, pools=(), routes=())),
            Verdict.SKIPPED,
        ),
    ],
    ids=["nobody left", "nobody looked", "no probe"],
)
def test_what_nobody_saw_is_no_answer(facts: Abandonment, verdict: Verdict) -> None:
    assert abandoned(facts).verdict.verdict is verdict


def test_a_glimpse_adds_all_processes_up() -> None:
    out = {
        "route": ROUTE,
        "age_seconds": 3.0,
        "is_executing": True,
        "has_request_ended": False,
        "site": {"path": LINE.path, "line": LINE.line, "function": LINE.function},
    }
    statuses = [
        {"active_requests": 2, "outstanding": [out], "routes": {ROUTE: {"requests": 4}}},
        {"active_requests": 1, "outstanding": [], "routes": {ROUTE: {"requests": 3}}},
    ]

    glimpse = glimpse_of(statuses, at_seconds=7.0)

    site = SourceLine(LINE.path, LINE.line, LINE.function)
    assert glimpse == Glimpse(7.0, 3, (replace(_STATEMENT, site=site),), {ROUTE: 7})
    assert not glimpse.is_at_rest
    assert Glimpse(8.0, 0, ()).is_at_rest
