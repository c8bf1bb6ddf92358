"""One report with everything in it, and one with nothing: what every renderer has to manage."""

from __future__ import annotations

import pytest

from harness.findings import (
    Allowance,
    Finding,
    Judgement,
    ProbeVerdict,
    RelatedSite,
    Severity,
    SourceLine,
    Verdict,
)
from harness.report.content import (
    Distribution,
    EndpointRow,
    ExhaustionStory,
    LoadStory,
    Outcome,
    PoolRow,
    Report,
    RequestOutcome,
    RouteRow,
)

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, float("inf"))


def _lazy_load(label: str, anchor: str, *, path: str, line: int, statements: int) -> Finding:
    parent, attribute = label.split(".")
    return Finding(
        kind="n-plus-one",
        label=label,
        anchor=anchor,
        severity=Severity.ERROR,
        title=f"{statements - 1} lazy loads of {label} for {statements - 1} parents while the "
        "response was serialised; the number grows with the rows",
        fix=f"select({parent}).options(selectinload({label}))",
        site=SourceLine(
            path=path,
            line=line,
            function=f"list_{parent.lower()}s",
            code=f"{parent.lower()}s = (await session.scalars(select({parent}))).unique().all()",
        ),
        related=(
            RelatedSite(
                "attribute accessed",
                SourceLine(
                    "shop/schemas.py", 31, f"{parent}Out.model_validate", f"{attribute}: list[Item]"
                ),
            ),
        ),
        evidence=(
            ("statements", str(statements)),
            ("parents", str(statements - 1)),
            ("database time", "31.2 ms"),
            ("growth per row", "1.0 (n = 2, 3)"),
        ),
    )


def _blocked_loop() -> Finding:
    return Finding(
        kind="blocked-loop",
        label="hash_password",
        anchor="POST /accounts",
        severity=Severity.WARNING,
        title="The event loop stood still for 312 ms in each of 4 requests",
        fix="Call it through a thread: await anyio.to_thread.run_sync(hash_password, password)",
        site=SourceLine("shop/accounts.py", 58, "create_account", "digest = hash_password(body)"),
        evidence=(("longest stall", "318 ms"), ("requests", "4")),
    )


def _endpoint(
    endpoint: str, statements: int, verdict: Verdict = Verdict.PASS, note: str = ""
) -> EndpointRow:
    return EndpointRow(
        endpoint=endpoint,
        site="shop/api.py:40",
        status=None if verdict is Verdict.SKIPPED else 200,
        statements=statements,
        round_trips=statements,
        database_seconds=statements * 0.00223,
        seconds=statements * 0.003 + 0.004,
        verdict=verdict,
        note=note,
    )


def _times(p50: float, p95: float, most: float, counts: tuple[int, ...]) -> Distribution:
    return Distribution(
        count=sum(counts),
        mean_seconds=p50 * 1.4,
        p50_seconds=p50,
        p95_seconds=p95,
        p99_seconds=(p95 + most) / 2,
        max_seconds=most,
        bounds_seconds=_BOUNDS[: len(counts)],
        counts=counts,
    )


def _load() -> LoadStory:
    quick = _times(0.0124, 0.048, 0.41, (0, 0, 120, 900, 380, 70, 12, 5, 2))
    slow = _times(0.188, 0.62, 2.31, (0, 0, 0, 0, 4, 40, 160, 420, 130, 40, 16))
    wait = _times(0.0002, 0.061, 1.92, (1710, 120, 90, 70, 85, 80, 66, 44, 20, 9, 5))
    hold = _times(0.0116, 0.39, 2.2, (0, 30, 190, 760, 420, 180, 220, 310, 130, 44, 15))
    rest = _times(0.0001, 0.0004, 0.001, (40,))
    return LoadStory(
        users=40,
        seconds=30.0,
        requests=2299,
        failures=3,
        requests_per_second=76.6,
        routes=(
            RouteRow("GET /orders", 1489, 0, quick, 2.0),
            RouteRow("GET /orders/faulty", 810, 3, slow, 51.0),
            RouteRow("GET /health", 0, 0, _times(0, 0, 0, ()), None),
        ),
        pools=(
            PoolRow("AsyncAdaptedQueuePool(5+10)@shop", 5, 10, 2299, 3, 15, 22, 1, wait, hold),
            PoolRow("QueuePool(2+0)@audit", 2, 0, 40, 0, 2, 0, 0, rest, rest),
        ),
    )


def _exhaustion() -> ExhaustionStory:
    answered = [
        RequestOutcome(0.1 * n, 0.012 + 0.004 * (n % 7), Outcome.OK) for n in range(30) if n % 10
    ]
    dry = [
        RequestOutcome(3.0 + 0.07 * n, seconds, outcome)
        for n in range(55)
        for seconds, outcome in [
            (2.0 + 0.003 * (n % 9), Outcome.SHED) if n >= 15 else (6.1 - 0.07 * n, Outcome.OK),
        ]
    ]
    odd = [
        RequestOutcome(4.4, 2.4, Outcome.ERROR),
        RequestOutcome(4.9, 2.31, Outcome.ERROR),
        RequestOutcome(5.2, 10.0, Outcome.HANG),
        RequestOutcome(6.0, 0.004, Outcome.REFUSED),
    ]
    after = [RequestOutcome(9.2 + 0.1 * n, 0.013 + 0.003 * (n % 5), Outcome.OK) for n in range(28)]
    return ExhaustionStory(
        users=30,
        pool_capacity=15,
        pool_timeout_seconds=2.0,
        blocked_from_seconds=3.0,
        blocked_until_seconds=9.0,
        outcomes=tuple(answered + dry + odd + after),
        recovery_seconds=0.74,
    )


def _judgement() -> Judgement:
    return Judgement(
        open=(
            _lazy_load(
                "Order.items",
                "GET /orders/recent",
                path="shop/api/orders.py",
                line=28,
                statements=14,
            ),
            _blocked_loop(),
        ),
        accepted=tuple(
            (
                _lazy_load(label, anchor, path="shop/api/faults.py", line=line, statements=51),
                Allowance(f"n-plus-one {label} @ {anchor}", "planted: the twin shows the cure"),
            )
            for label, anchor, line in [
                ("Order.items", "GET /orders/faulty", 112),
                ("User.addresses", "GET /users/{user_id}/addresses/faulty", 140),
            ]
        ),
        unmatched=(Allowance("n-plus-one Order.itmes @ GET /orders/faulty", "typing error"),),
    )


@pytest.fixture
def sample_report() -> Report:
    """A checkup with open, accepted and unmatched entries, load and exhaustion."""
    return Report(
        harness_version="0.1.0",
        application="shop.main:create_app",
        database="PostgreSQL 18.4, embedded",
        started_at="2026-03-02T09:14:03Z",
        seconds=74.2,
        versions=(("fastapi", "0.165.0"), ("sqlalchemy", "2.1.0"), ("asyncpg", "0.31.0")),
        verdict=Verdict.FAIL,
        endpoints=(
            _endpoint("GET /health", 0),
            _endpoint("GET /orders", 2),
            _endpoint("GET /orders/faulty", 51, Verdict.WARN, "N+1 on Order.items"),
            _endpoint("GET /orders/recent", 14, Verdict.FAIL),
            _endpoint("GET /orders/{order_id}", 3),
            _endpoint("GET /users/{user_id}/addresses", 2),
            _endpoint("GET /users/{user_id}/addresses/faulty", 51, Verdict.WARN),
            _endpoint("GET /invoices/{number}/pdf", 0, Verdict.SKIPPED, "no value for {number}"),
        ),
        judgement=_judgement(),
        probes=(
            ProbeVerdict("pool sizing", Verdict.PASS, "8 connections carry 40 users"),
            ProbeVerdict("session leak", Verdict.FAIL, "1 connection still out after the load"),
            ProbeVerdict("held connection", Verdict.PASS, "busy 94 % of the hold time"),
            ProbeVerdict("blocked loop", Verdict.WARN, "4 stalls over 250 ms, longest 318 ms"),
            ProbeVerdict("exhaustion", Verdict.PASS, "sheds after 2.0 s, recovers in 0.74 s"),
            ProbeVerdict(
                "growth",
                Verdict.INCONCLUSIVE,
                "the row count did not change between n = 2 and n = 3",
            ),
        ),
        load=_load(),
        exhaustion=_exhaustion(),
    )


@pytest.fixture
def empty_report() -> Report:
    """A checkup that found nothing to look at."""
    return Report(
        harness_version="0.1.0",
        application="shop.main:app",
        database="PostgreSQL 18.4, embedded",
        started_at="2026-03-02T09:14:03Z",
        seconds=0.4,
        versions=(),
        verdict=Verdict.INCONCLUSIVE,
        endpoints=(),
        judgement=Judgement(open=(), accepted=(), unmatched=()),
        probes=(),
        load=None,
        exhaustion=None,
    )
