"""What is wrong beside the cause of slow requests, each beside its healthy twin."""

from dataclasses import replace

import pytest

from harness.capture.windows import LoadWindow, MachineWindow
from harness.checks.load.overflow_churn import overflow_churn
from harness.checks.load.shared_session import shared_session
from harness.checks.load.starved_threads import starved_threads
from harness.checks.load.timeouts_order import timeouts_order
from harness.findings import Severity, Verdict
from tests.checks.load.building import ROUTE, with_client, with_pool, with_route, with_server
from tests.checks.load.recorded import CALM, FREE, SHARED

_SHARED = with_route(FREE[4], shared_sessions=7)


def test_a_session_that_two_requests_use_is_an_error() -> None:
    judged = shared_session(_SHARED)

    assert judged.verdict.verdict is Verdict.FAIL
    assert not judged.is_explanation
    (finding,) = judged.findings
    assert finding.identity == f"shared-session session @ {ROUTE}"
    assert finding.title == "a session was used by two requests or tasks at once, 7 times"


def test_a_session_that_is_shared_and_never_closed_explains_what_is_slow() -> None:
    judged = shared_session(SHARED)

    assert judged.is_explanation
    (finding,) = judged.findings
    assert finding.title.endswith("at once, 614 times; 1 connection still out")
    assert dict(finding.evidence)["clients"] == "8"
    assert dict(finding.evidence)["still out"] == "since 1.2 s"


def test_the_concurrency_of_those_who_asked_for_a_connection_is_no_evidence() -> None:
    (finding,) = shared_session(SHARED).findings

    assert "1 request" not in dict(finding.evidence).values()


def test_the_route_that_shares_most_comes_first() -> None:
    seldom = replace(SHARED.routes[0], route="GET /seldom", shared_sessions=2)

    judged = shared_session(replace(SHARED, routes=(seldom, *SHARED.routes)))

    assert [finding.anchor for finding in judged.findings] == [ROUTE, "GET /seldom"]


def test_a_session_for_each_request_is_fine() -> None:
    assert shared_session(FREE[4]).verdict.verdict is Verdict.PASS


def test_a_busy_machine_hides_no_shared_session() -> None:
    noisy = replace(_SHARED, machine=MachineWindow(2, 1.0, 2.0))

    assert shared_session(noisy).verdict.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "window",
    [with_client(FREE[4], users=1), with_route(FREE[4], statements=0)],
    ids=["one client", "no statement"],
)
def test_nobody_to_share_with_is_inconclusive(window: LoadWindow) -> None:
    assert shared_session(window).verdict.verdict is Verdict.INCONCLUSIVE


_CHURN = with_pool(
    CALM, size=5, max_overflow=10, checkouts=1500, creations=350, closed=345, peak_checked_out=12
)
"""As measured: 350 connections for 1500 checkouts of 12 users."""


def test_overflow_that_connects_again_and_again_is_told() -> None:
    judged = overflow_churn(_CHURN)

    assert judged.verdict.verdict is Verdict.WARN
    (finding,) = judged.findings
    assert (finding.label, finding.severity) == ("overflow", Severity.WARNING)
    assert not judged.is_explanation
    assert finding.title == "345 of 1500 checkouts made a new connection (23 %)"
    assert finding.fix.startswith("raise pool_size towards 12")


@pytest.mark.parametrize(
    "window",
    [
        with_pool(_CHURN, max_overflow=0, peak_checked_out=5),
        with_pool(_CHURN, max_overflow=10, peak_checked_out=5),
    ],
    ids=["none", "unused"],
)
def test_connections_that_are_replaced_without_overflow_have_another_cause(
    window: LoadWindow,
) -> None:
    (finding,) = overflow_churn(window).findings

    assert finding.label == "replaced"


@pytest.mark.parametrize(("closed", "is_found"), [(30, False), (31, True)])
def test_two_of_a_hundred_checkouts_may_connect(*, closed: int, is_found: bool) -> None:
    judged = overflow_churn(with_pool(_CHURN, creations=40, closed=closed))

    assert bool(judged.findings) is is_found


@pytest.mark.parametrize(
    "window",
    [
        with_pool(_CHURN, creations=15, closed=10),
        with_pool(_CHURN, size=40, creations=40, closed=0),
        with_pool(_CHURN, creations=0, closed=40),
    ],
    ids=["a burst", "the first filling", "the end"],
)
def test_a_pool_that_fills_or_empties_is_no_churn(window: LoadWindow) -> None:
    assert overflow_churn(window).verdict.verdict is Verdict.PASS


def test_what_an_earlier_load_has_filled_is_not_filled_again() -> None:
    # As many as a first filling would make, and each in place of another.
    window = with_pool(CALM, size=40, checkouts=1000, creations=40, closed=40, peak_checked_out=40)

    (finding,) = overflow_churn(window).findings

    assert (finding.label, finding.title[:10]) == ("replaced", "40 of 1000")


def test_the_pools_of_all_processes_are_asked() -> None:
    (churning,) = _CHURN.pools
    calm = replace(churning, checkouts=1600, creations=5, closed=0)

    (finding,) = overflow_churn(replace(_CHURN, pools=(calm, churning))).findings

    assert finding.title == "345 of 3100 checkouts made a new connection (11 %)"
    assert ("new connections", "350") in finding.evidence


def test_what_ended_and_was_not_counted_is_inconclusive() -> None:
    judged = overflow_churn(with_pool(_CHURN, closed=None))

    assert (judged.verdict.verdict, judged.findings) == (Verdict.INCONCLUSIVE, ())
    assert "does not count" in judged.verdict.summary


def test_a_pool_that_keeps_nothing_is_not_asked() -> None:
    assert overflow_churn(with_pool(_CHURN, size=None)).verdict.verdict is Verdict.SKIPPED


def test_few_checkouts_do_not_show_churn() -> None:
    few = with_pool(_CHURN, checkouts=49, creations=20, closed=20)

    assert overflow_churn(few).verdict.verdict is Verdict.INCONCLUSIVE


def _threads(window: LoadWindow, *, waiting: int) -> LoadWindow:
    return replace(window, thread_limit=40, peak_threads_waiting=waiting)


_STARVED = _threads(
    with_pool(CALM, size=2, max_overflow=0, peak_waiting=38, timeouts=43), waiting=60
)
"""As measured: 100 requests, 40 threads, 2 connections, 43 failures."""


def test_threads_that_wait_for_connections_starve_the_others() -> None:
    judged = starved_threads(_STARVED)

    assert judged.verdict.verdict is Verdict.FAIL
    assert judged.is_explanation
    assert judged.verdict.summary == (
        "60 requests waited for one of 40 threads; 38 of these waited for a connection"
    )


def test_threads_that_wait_for_connections_and_get_them_are_a_warning() -> None:
    judged = starved_threads(with_pool(_STARVED, timeouts=0))

    assert judged.verdict.verdict is Verdict.WARN
    assert [finding.severity for finding in judged.findings] == [Severity.WARNING]


@pytest.mark.parametrize(
    "window",
    [
        with_pool(_STARVED, peak_waiting=37),
        with_pool(_STARVED, max_overflow=-1),
        replace(_STARVED, pools=()),
    ],
    ids=["fewer waited at the pool", "no bound", "no pool"],
)
def test_threads_are_not_said_to_wait_for_connections_that_they_do_not_wait_for(
    window: LoadWindow,
) -> None:
    assert [finding.label for finding in starved_threads(window).findings] == ["threads"]


def test_as_many_connections_as_threads_leave_only_slow_work() -> None:
    (finding,) = starved_threads(with_pool(_STARVED, size=40, peak_waiting=0, timeouts=0)).findings

    assert (finding.label, finding.severity) == ("threads", Severity.NOTE)


def test_threads_that_nobody_waits_for_are_fine() -> None:
    assert starved_threads(_threads(CALM, waiting=0)).verdict.verdict is Verdict.PASS


def test_an_unknown_number_of_threads_is_not_judged() -> None:
    assert starved_threads(CALM).verdict.verdict is Verdict.SKIPPED


def test_a_pool_without_a_time_limit_is_in_no_order() -> None:
    unlimited = with_client(with_pool(CALM, timeout_seconds=None), timeout_seconds=1.0)

    assert timeouts_order(unlimited).verdict.verdict is Verdict.SKIPPED


def test_a_missing_time_limit_is_told_as_one() -> None:
    titles = [
        timeouts_order(_limits(statement=seconds, pool=2.0, client=None)).findings[0].title
        for seconds in (0.0, 5.0)
    ]

    assert titles[0].startswith("statements have no time limit")
    assert titles[1].startswith("statements have a limit of 5.0 s")


def _limits(*, statement: float | None, pool: float, client: float | None) -> LoadWindow:
    window = with_server(with_pool(CALM, timeout_seconds=pool), statement_timeout_seconds=statement)
    return with_client(window, timeout_seconds=client)


@pytest.mark.parametrize(
    ("window", "labels", "verdict"),
    [
        (_limits(statement=1.0, pool=2.0, client=10.0), [], Verdict.PASS),
        (_limits(statement=None, pool=2.0, client=10.0), [], Verdict.PASS),
        (_limits(statement=None, pool=30.0, client=10.0), ["client"], Verdict.WARN),
        (_limits(statement=0.0, pool=2.0, client=10.0), ["statement"], Verdict.WARN),
        (_limits(statement=5.0, pool=2.0, client=None), ["statement"], Verdict.WARN),
        (_limits(statement=None, pool=30.0, client=None), [], Verdict.SKIPPED),
    ],
    ids=["ordered", "two known", "pool after client", "no limit", "slow statement", "unknown"],
)
def test_inner_time_limits_strike_first(
    window: LoadWindow, labels: list[str], verdict: Verdict
) -> None:
    judged = timeouts_order(window)

    assert [finding.label for finding in judged.findings] == labels
    assert not judged.is_explanation
    assert judged.verdict.verdict is verdict
