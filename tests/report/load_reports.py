"""Reports of load runs, made of recorded windows: what every renderer of them has to manage.

A module of its own because three renderers are shown the same reports. Judged by the checks
themselves, so that the words are those that users get.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.capture.traffic import Distribution, ExhaustionStory, Outcome, RequestOutcome
from harness.capture.windows import LoadWindow
from harness.checks.load.classification import classified
from harness.checks.load.fleet import Fleet
from harness.checks.load.pool_sizing import recommendation
from harness.findings import Allowance, Judgement, ProbeVerdict, Verdict, judge
from harness.report.load_content import AnswersInSecond, LoadReport, Phase, Timeline
from tests.checks.load.building import times, with_pool
from tests.checks.load.capacities import in_rounds
from tests.checks.load.recorded import CALM, FREE, HELD, INDEXED, LOCKED, SLEEPING

FLEET = Fleet(max_connections=100, processes=2, replicas=2, others=2)
_BOUNDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, float("inf"))


def alone(*, hold: float, cpu: float) -> LoadWindow:
    """One user: so many seconds of a connection and of CPU for each request."""
    window = with_pool(CALM, hold=times(hold, count=CALM.client.requests))
    return replace(window, cpu_seconds=cpu * CALM.client.requests)


def noisy(sweep: Mapping[int, LoadWindow]) -> list[LoadWindow]:
    """Three rounds that differ by 5 %, with a 95th percentile below the 99th."""
    return [_round(window, factor) for factor in (0.95, 1.0, 1.05) for window in sweep.values()]


def _round(window: LoadWindow, factor: float) -> LoadWindow:
    client = window.client
    middle, last = client.latency.p50_seconds, client.latency.p99_seconds
    latency = replace(client.latency, p95_seconds=(2 * middle + last) / 3)
    ok = round(client.requests * factor)
    return replace(window, client=replace(client, requests=ok, ok=ok, latency=latency))


def _spread(mean_seconds: float, counts: tuple[int, ...]) -> Distribution:
    return Distribution(
        count=sum(counts),
        mean_seconds=mean_seconds,
        p50_seconds=mean_seconds * 0.8,
        p95_seconds=mean_seconds * 2.1,
        p99_seconds=mean_seconds * 2.6,
        max_seconds=mean_seconds * 3,
        bounds_seconds=_BOUNDS,
        counts=counts,
    )


def _held() -> LoadWindow:
    """Held over a call, beside a route that waits for locks and one without a database."""
    held = HELD.routes[0]
    nothing = Distribution(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    locked = replace(
        held,
        route="PUT /accounts/{account_id}/balance",
        requests=120,
        seconds=times(1.9, count=120),
        wait=times(1.2, count=120),
        hold=times(0.66, count=120),
        busy_seconds=120 * 0.63,
        endpoint=None,
    )
    health = replace(
        held,
        route="GET /health",
        requests=400,
        seconds=times(0.0012, count=400),
        wait=nothing,
        hold=nothing,
        busy_seconds=0.0,
        held_at_once=0,
        endpoint=None,
    )
    window = with_pool(
        HELD,
        wait=_spread(1.4, (0, 2, 9, 30, 71, 140, 260, 88, 8)),
        hold=_spread(0.206, (0, 0, 0, 4, 90, 480, 30, 4, 0)),
    )
    return replace(window, routes=(held, locked, health))


def _outcomes() -> tuple[RequestOutcome, ...]:
    """Three quiet seconds, six of a pool that is dry, and the way back."""
    quiet = [RequestOutcome(0.1 * n, 0.012 + 0.004 * (n % 7), Outcome.OK) for n in range(30)]
    dry = [RequestOutcome(3.0 + 0.07 * n, 2.0 + 0.003 * (n % 9), Outcome.SHED) for n in range(55)]
    odd = [
        RequestOutcome(4.4, 2.4, Outcome.ERROR),
        RequestOutcome(5.2, 10.0, Outcome.HANG),
        RequestOutcome(6.0, 0.004, Outcome.REFUSED),
    ]
    after = [RequestOutcome(9.8 + 0.1 * n, 0.013, Outcome.OK) for n in range(28)]
    return (*quiet, *dry, *odd, *after)


EXHAUSTION = ExhaustionStory(
    users=30,
    pool_capacity=7,
    pool_timeout_seconds=2.0,
    blocked_from_seconds=3.0,
    blocked_until_seconds=9.0,
    outcomes=_outcomes(),
    recovery_seconds=0.74,
    checked_out_at_rest=0,
)


def _killed() -> Timeline:
    """Backends killed at 10 s: errors at once, good answers again within two seconds."""
    return Timeline(
        name="backends killed",
        probe="recovery: backends killed",
        setting="8 of 8 connections terminated by pg_terminate_backend, 40 users",
        begins_seconds=10.0,
        ends_seconds=10.4,
        recovered_seconds=11.9,
        answers=tuple(
            AnswersInSecond(second, ok=8 if second == 10 else 96, error=30 if second == 10 else 0)
            for second in range(25)
        ),
        facts=(("writes lost", "0 of 412"), ("connections back", "8 of 8")),
    )


def _restarted() -> Timeline:
    """A server restarted: half a minute without an answer, and no way back."""
    return Timeline(
        name="server restarted",
        probe="recovery: server restarted",
        setting="the PostgreSQL server stopped for 4 s and started again, 40 users",
        begins_seconds=10.0,
        ends_seconds=14.0,
        recovered_seconds=None,
        answers=tuple(
            AnswersInSecond(second, ok=96 if second < 10 else 0, error=60 if second >= 10 else 0)
            for second in (*range(11), *range(14, 40))
        ),
    )


def full_report() -> LoadReport:
    """A load run with everything in it: a cause, a size to set, troubles, skipped probes."""
    window = _held()
    told = classified([window])
    sized = recommendation(
        noisy(SLEEPING), alone(hold=0.0067, cpu=0.00095), target_rate=2400.0, fleet=FLEET
    )
    reclassified = [answer.verdict for answer in told.answers]
    allowances = [Allowance("leak GET /gone @ GET /gone", "the route is gone")]
    return LoadReport(
        harness_version="0.1.0",
        application="shop.main:create_app",
        target="http://127.0.0.1:8000, served by the harness with 1 process",
        database="PostgreSQL 18.4, embedded",
        started_at="2026-03-02T09:14:03Z",
        seconds=412.0,
        versions=(("fastapi", "0.165.0"), ("locust", "2.47.0"), ("sqlalchemy", "2.1.9")),
        verdict=Verdict.FAIL,
        probes=(
            told.verdict,
            ProbeVerdict("pool-sizing", sized.verdict, sized.summary),
            *reclassified,
            ProbeVerdict("exhaustion", Verdict.PASS, "sheds: 30 ok, 55 shed; back 0.7 s after"),
            ProbeVerdict("recovery: backends killed", Verdict.PASS, "back after 1.5 s"),
            ProbeVerdict("recovery: server restarted", Verdict.FAIL, "not one good answer since"),
            ProbeVerdict("max_connections", Verdict.SKIPPED, "the server is not ours: --host"),
        ),
        judgement=judge(told.findings, allowances),
        classification=told,
        explained=window,
        recommendation=sized,
        phases=(
            Phase("baseline", (CALM,), "one user"),
            Phase("sweep", tuple(noisy(SLEEPING)), "6 pool sizes, 3 rounds, random order"),
            Phase("load", (window,)),
        ),
        exhaustion=EXHAUSTION,
        troubles=(_killed(), _restarted()),
    )


def sized_report() -> LoadReport:
    """A curve with a knee, and nothing else that is wrong."""
    sized = recommendation(noisy(LOCKED), alone(hold=0.042, cpu=0.000586), fleet=FLEET)
    return replace(empty_report(), verdict=sized.verdict, recommendation=sized)


def unreachable_report() -> LoadReport:
    """A target beyond the CPU of one process."""
    sized = recommendation(in_rounds(INDEXED), alone(hold=0.00106, cpu=0.001), target_rate=3500.0)
    return replace(empty_report(), verdict=sized.verdict, recommendation=sized)


def open_ended_report() -> LoadReport:
    """Throughput that rose to the end of the sweep."""
    sized = recommendation(in_rounds(FREE), alone(hold=0.042, cpu=0.000586))
    return replace(empty_report(), verdict=sized.verdict, recommendation=sized)


def empty_report() -> LoadReport:
    """A load run that was interrupted before it saw anything."""
    return LoadReport(
        harness_version="0.1.0",
        application="shop.main:app",
        target="http://127.0.0.1:8000",
        database="",
        started_at="2026-03-02T09:14:03Z",
        seconds=0.4,
        versions=(),
        verdict=Verdict.INCONCLUSIVE,
        probes=(),
        judgement=Judgement((), (), ()),
    )
