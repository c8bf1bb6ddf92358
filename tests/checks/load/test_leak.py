"""A connection is leaked when who took it has ended, and not when a time has passed."""

from dataclasses import replace

import pytest

from harness.capture.windows import LoadWindow, MachineWindow, OutstandingCheckout
from harness.checks.load.leak import leak
from harness.findings import Severity, Verdict
from tests.checks.load.building import LINE, ROUTE, with_client, with_pool
from tests.checks.load.recorded import CALM, LEAKED, SHARED

_OUT = LEAKED.outstanding[0]


def _out(*checkouts: OutstandingCheckout) -> LoadWindow:
    return replace(CALM, outstanding=checkouts)


def test_a_connection_of_a_request_that_has_ended_is_leaked() -> None:
    judged = leak(LEAKED)

    assert judged.verdict.verdict is Verdict.FAIL
    assert judged.is_explanation
    (finding,) = judged.findings
    assert finding.identity == f"connection-leak list_orders @ {ROUTE}"
    assert finding.site == LINE
    assert finding.title == "1 connection still out, and the request that took it has ended"
    assert judged.verdict.summary == finding.title


def test_a_connection_that_a_shared_session_keeps_is_no_session_to_be_closed() -> None:
    judged = leak(SHARED)

    assert judged.verdict.verdict is Verdict.FAIL
    assert not judged.is_explanation
    (finding,) = judged.findings
    assert finding.identity == f"connection-leak list_orders @ {ROUTE}"
    assert finding.title == "1 connection still out, kept by a session that several requests share"
    assert "close every session" not in finding.fix


@pytest.mark.parametrize(
    "window",
    [
        replace(SHARED, outstanding=(_OUT, replace(_OUT, age_seconds=2.0))),
        replace(SHARED, outstanding=(replace(_OUT, route="GET /other"),)),
        with_pool(SHARED, reclaimed=1),
    ],
    ids=["more than one", "of another route", "others reclaimed"],
)
def test_what_a_shared_session_cannot_have_kept_is_a_leak(window: LoadWindow) -> None:
    judged = leak(window)

    assert judged.is_explanation
    assert all("close every session" in finding.fix for finding in judged.findings)


def test_each_process_has_a_session_of_its_own_to_share() -> None:
    both = (_OUT, replace(_OUT, age_seconds=2.0))

    assert not leak(replace(SHARED, processes=2, outstanding=both)).is_explanation


def test_what_two_routes_leak_from_one_line_are_two_findings() -> None:
    judged = leak(_out(_OUT, replace(_OUT, route="GET /other")))

    assert [finding.anchor for finding in judged.findings] == [ROUTE, "GET /other"]


def test_the_worst_comes_first_and_the_others_are_counted() -> None:
    task = replace(_OUT, route="GET /task", is_owner_running=True)

    judged = leak(_out(task, _OUT))

    assert [finding.anchor for finding in judged.findings] == [ROUTE, "GET /task"]
    assert judged.verdict.summary.endswith("has ended; and 1 more")


def test_all_connections_that_came_back_are_fine() -> None:
    judged = leak(CALM)

    assert judged.verdict.verdict is Verdict.PASS
    assert judged.verdict.summary == f"all of {CALM.pools[0].checkouts} checkouts came back"


def test_a_connection_that_is_in_use_has_not_come_back() -> None:
    working = replace(_OUT, has_request_ended=False, is_owner_running=True, age_seconds=1.0)

    verdict = leak(_out(working)).verdict

    assert verdict.verdict is Verdict.PASS
    assert verdict.summary == f"{CALM.pools[0].checkouts} checkouts, 1 connection still in use"


def test_a_busy_machine_hides_no_leak() -> None:
    noisy = replace(LEAKED, machine=MachineWindow(2, 1.0, 2.0))

    assert leak(noisy).verdict.verdict is Verdict.FAIL


def test_the_garbage_collector_tells_leaks_by_their_number() -> None:
    judged = leak(with_pool(CALM, reclaimed=3))

    assert judged.verdict.verdict is Verdict.FAIL
    assert judged.verdict.summary.startswith("3 connections came back through the garbage")


def test_one_line_that_leaks_often_is_one_finding() -> None:
    judged = leak(_out(_OUT, replace(_OUT, age_seconds=4.0)))

    (finding,) = judged.findings
    assert finding.title.startswith("2 connections still out")
    assert ("oldest", "4.0 s") in finding.evidence


def test_a_leak_whose_line_was_not_noted_goes_with_those_of_its_route_that_were() -> None:
    judged = leak(_out(replace(_OUT, site=None, age_seconds=9.0), _OUT))

    (finding,) = judged.findings
    assert (finding.site, finding.title[:13]) == (LINE, "2 connections")


@pytest.mark.parametrize(
    ("age_seconds", "severity"),
    [(1.0, Severity.WARNING), (31.0, Severity.ERROR)],
    ids=["a moment", "longer than a pool waits"],
)
def test_a_task_that_outlives_its_request_is_told_by_its_age(
    age_seconds: float, severity: Severity
) -> None:
    judged = leak(_out(replace(_OUT, is_owner_running=True, age_seconds=age_seconds)))

    (finding,) = judged.findings
    assert (finding.kind, finding.severity) == ("connection-in-task", severity)
    assert judged.is_explanation is (severity is Severity.ERROR)


@pytest.mark.parametrize(
    ("checkout", "identity"),
    [
        (replace(_OUT, site=None), f"connection-leak unknown line @ {ROUTE}"),
        (
            replace(_OUT, route="", age_seconds=40.0),
            "connection-outside-request list_orders @ shop/orders.py::list_orders",
        ),
        (
            replace(_OUT, route="", site=None, age_seconds=40.0),
            "connection-outside-request unknown line @ the whole application",
        ),
    ],
    ids=["no line", "no route", "neither"],
)
def test_every_leak_has_an_identity(checkout: OutstandingCheckout, identity: str) -> None:
    assert [finding.identity for finding in leak(_out(checkout)).findings] == [identity]


@pytest.mark.parametrize(
    ("checkout", "kind"),
    [
        (replace(_OUT, route="", has_request_ended=False), "connection-outside-request"),
        (replace(_OUT, has_request_ended=False), "connection-after-client"),
    ],
    ids=["background", "unfinished request"],
)
def test_what_may_come_back_is_told_only_when_it_is_old(
    checkout: OutstandingCheckout, kind: str
) -> None:
    young = leak(_out(replace(checkout, age_seconds=29.0)))
    old = leak(_out(replace(checkout, age_seconds=31.0)))

    assert young.verdict.verdict is Verdict.PASS
    assert [finding.kind for finding in old.findings] == [kind]
    assert old.verdict.verdict is Verdict.WARN


@pytest.mark.parametrize(
    "window",
    [with_client(CALM, requests=0), replace(CALM, pools=()), with_pool(CALM, checkouts=0)],
    ids=["no request", "no pool", "no checkout"],
)
def test_an_unused_pool_is_inconclusive(window: LoadWindow) -> None:
    assert leak(window).verdict.verdict is Verdict.INCONCLUSIVE
