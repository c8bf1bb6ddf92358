"""One cause for each recorded load, whatever the noise; and none from a load that was not valid."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.capture.traffic import Distribution
from harness.capture.windows import LoadWindow, LoopWindow, MachineWindow, PoolWindow, RouteWindow
from harness.checks.load.classification import Outcome, classified
from harness.findings import Verdict
from tests.checks.load.building import with_client, with_pool, with_route, with_server
from tests.checks.load.recorded import (
    CALM,
    EXHAUSTED,
    FREE,
    FROZEN,
    HELD,
    INDEXED,
    LEAKED,
    LOCKED,
    SHARED,
    SLEEPING,
    nested,
)

_BUSY = [with_server(LOCKED[size], lock_waiting=0.0) for size in (16, 48)]

LOOK_ALIKES: dict[str, Sequence[LoadWindow]] = {
    "pool-too-small": [FREE[4], FREE[16]],
    "held-idle": [HELD],
    "saturated-loop": [INDEXED[8], INDEXED[32]],
    "blocked-loop": [FROZEN],
    "database-bound": _BUSY,
}
"""All have callers that wait for connections, and a pool that is all out."""

ALIKE = pytest.mark.parametrize("cause", LOOK_ALIKES)


@ALIKE
def test_the_look_alikes_are_told_apart(cause: str) -> None:
    told = classified(LOOK_ALIKES[cause])

    assert (told.outcome, told.cause) == (Outcome.EXPLAINED, cause)
    assert told.findings


@ALIKE
def test_the_look_alikes_look_alike(cause: str) -> None:
    pool = LOOK_ALIKES[cause][0].pools[0]

    assert pool.peak_checked_out == pool.capacity
    assert pool.waiting_share > 0.9


def test_waiting_for_locks_is_the_databases_even_with_one_size() -> None:
    assert classified([LOCKED[16]]).cause == "database-bound"


def test_nothing_is_slow_where_nobody_waits() -> None:
    told = classified([CALM])

    assert (told.outcome, told.cause) == (Outcome.NOTHING_IS_SLOW, "")
    assert told.verdict.verdict is Verdict.PASS
    assert told.reason == (
        "nobody waited: p50 8.0 ms, p95 8.0 ms; a connection is held for 6.0 ms, "
        "SQL runs for 100 % of it"
    )


def test_nothing_is_slow_in_an_application_without_a_pool() -> None:
    told = classified([replace(CALM, pools=())])

    assert told.outcome is Outcome.NOTHING_IS_SLOW
    assert told.reason == "nobody waited: p50 8.0 ms, p95 8.0 ms"


def test_without_a_probe_the_question_is_skipped() -> None:
    told = classified([replace(CALM, processes=0, process_cpu=0.0, pools=(), routes=())])

    assert (told.outcome, told.verdict.verdict) == (Outcome.SKIPPED, Verdict.SKIPPED)
    assert told.reason.startswith(
        "the target has no probe, or HARNESS_TOKEN is not set, or is another one"
    )


def test_without_a_probe_no_check_passes() -> None:
    told = classified([replace(CALM, processes=0, process_cpu=0.0, pools=(), routes=())])

    assert Verdict.PASS not in {answer.verdict.verdict for answer in told.answers}


def test_processes_that_told_nothing_are_inconclusive() -> None:
    told = classified([replace(CALM, process_cpu=0.0, pools=(), routes=())])

    assert told.verdict.verdict is Verdict.INCONCLUSIVE
    assert Verdict.PASS not in {answer.verdict.verdict for answer in told.answers}


def test_nobody_waited_is_not_said_of_requests_that_nobody_saw() -> None:
    told = classified([replace(CALM, routes=())])

    assert told.outcome is Outcome.INCONCLUSIVE
    assert told.reason == "the application saw none of 600 requests"


def test_no_load_is_inconclusive() -> None:
    assert classified([]).outcome is Outcome.INCONCLUSIVE


def test_one_pool_size_alone_says_what_is_missing() -> None:
    told = classified([FREE[4]])

    assert told.outcome is Outcome.INCONCLUSIVE
    assert "with one pool size only" in told.reason


def test_between_the_rules_nobody_is_blamed() -> None:
    # A statement of 5 ms on 8 connections: 0.84 of a core, and a duty of 33 %.
    told = classified([SLEEPING[8], SLEEPING[32]])

    assert told.outcome is Outcome.INCONCLUSIVE
    assert "0.84 of a core: hold times have its own queue in them" in told.reason


def test_a_load_that_no_rule_recognises_is_told_by_its_figures() -> None:
    latency = replace(FREE[4].client.latency, p95_seconds=9.0)

    told = classified([with_client(FREE[4], latency=latency), FREE[16]])

    assert told.outcome is Outcome.INCONCLUSIVE
    assert told.reason == (
        "callers waited for connections and no rule says why: duty 100 %, 0.05 of a core"
    )


def test_a_load_of_errors_is_inconclusive() -> None:
    told = classified([EXHAUSTED])

    assert told.outcome is Outcome.INCONCLUSIVE
    assert told.reason.startswith("321 of 401 answers were not 2xx")
    assert told.reason.endswith("; 361 callers gave up waiting for a connection")


def test_a_leak_comes_before_all_that_is_measured_of_the_pool() -> None:
    told = classified([replace(FREE[4], outstanding=LEAKED.outstanding), FREE[16]])

    assert told.cause == "leak"
    assert told.verdict.verdict is Verdict.FAIL
    assert [finding.kind for finding in told.findings] == ["connection-leak", "pool-too-small"]


def test_a_deadlock_explains_requests_that_timed_out() -> None:
    assert classified([nested(pool=10, at_once=10, timeouts=8)]).cause == "nesting"


def test_a_possible_deadlock_that_did_not_happen_is_listed() -> None:
    told = classified([with_route(FREE[4], held_at_once=2), FREE[16]])

    assert told.cause == "pool-too-small"
    assert "nested-checkout" in {finding.kind for finding in told.findings}


def test_a_shared_session_is_listed_beside_the_cause() -> None:
    told = classified([with_route(FREE[4], shared_sessions=3), FREE[16]])

    assert told.cause == "pool-too-small"
    assert "shared-session" in {finding.kind for finding in told.findings}


def test_a_shared_session_that_keeps_its_connection_is_the_cause_and_no_leak() -> None:
    told = classified([SHARED])

    assert (told.outcome, told.cause) == (Outcome.EXPLAINED, "shared-session")
    assert [finding.kind for finding in told.findings] == ["shared-session"]
    assert told.answers[0].verdict.verdict is Verdict.FAIL


def test_what_is_found_beside_a_shared_session_that_keeps_its_connection_is_told() -> None:
    task = replace(SHARED.outstanding[0], is_owner_running=True)

    told = classified([replace(SHARED, outstanding=(*SHARED.outstanding, task))])

    assert [item.kind for item in told.findings] == ["shared-session", "connection-in-task"]


def test_connections_that_leak_beside_a_shared_session_are_the_cause() -> None:
    several = replace(SHARED, outstanding=SHARED.outstanding * 4)

    assert classified([several]).cause == "leak"


def test_every_check_answers_once() -> None:
    probes = [answer.verdict.probe for answer in classified([CALM]).answers]

    assert len(probes) == len(set(probes)) == 13


@ALIKE
@given(times=st.integers(2, 50))
def test_more_of_the_same_is_the_same(cause: str, times: int) -> None:
    windows = [_scaled(window, times) for window in LOOK_ALIKES[cause]]

    assert classified(windows).cause == cause


@ALIKE
@given(data=st.data())
@settings(max_examples=200)
def test_noise_of_fifteen_percent_keeps_the_cause(cause: str, data: st.DataObject) -> None:
    noise = st.floats(0.85, 1.15)
    windows = [
        _noisy(window, *(data.draw(noise) for _ in range(4))) for window in LOOK_ALIKES[cause]
    ]

    assert classified(windows).cause == cause


SPOILED: dict[str, Callable[[LoadWindow], LoadWindow]] = {
    "generator": lambda window: replace(window, machine=MachineWindow(2, 0.9, 0.1)),
    "machine": lambda window: replace(window, machine=MachineWindow(2, 0.3, 0.8)),
    "unseen": lambda window: replace(window, machine=None),
    "few": lambda window: with_client(window, requests=400, ok=400),
    "unsteady": lambda window: with_client(window, rates=(10.0, 30.0) * 10),
    "rate limit": lambda window: with_client(window, rate_limited=window.client.requests // 2),
    "network": lambda window: with_client(window, transport_failures=window.client.requests // 2),
    "dropped": lambda window: with_client(window, dropped=window.client.requests),
}


@given(
    window=st.sampled_from([*INDEXED.values(), *FREE.values(), *_BUSY, *SLEEPING.values()]),
    others=st.lists(st.sampled_from([*FREE.values(), *_BUSY]), max_size=4),
    spoiled=st.sampled_from(sorted(SPOILED)),
)
@settings(max_examples=300)
def test_an_invalid_window_gets_no_verdict_on_throughput(
    window: LoadWindow, others: list[LoadWindow], spoiled: str
) -> None:
    told = classified([SPOILED[spoiled](window), *others])

    assert told.outcome is Outcome.INCONCLUSIVE
    assert told.findings == ()


@pytest.mark.parametrize("spoiled", SPOILED)
def test_an_invalid_window_still_tells_what_was_counted(spoiled: str) -> None:
    elsewhere = replace(LEAKED.outstanding[0], route="GET /leak")
    window = replace(LEAKED, loop=FROZEN.loop, outstanding=(elsewhere,))

    told = classified([SPOILED[spoiled](with_route(window, shared_sessions=1))])

    assert {finding.kind for finding in told.findings} == {
        "connection-leak",
        "blocked-loop",
        "shared-session",
    }


def _scaled(window: LoadWindow, by: int) -> LoadWindow:
    """The same load for so many times as long."""
    client = window.client
    longer = with_client(
        window,
        requests=client.requests * by,
        ok=client.ok * by,
        errors=client.errors * by,
        latency=_more(client.latency, by),
        rates=client.rates * by,
    )
    pool, route = window.pools[0], window.routes[0]
    stalls = tuple(
        replace(stall, count=stall.count * by, seconds=stall.seconds * by)
        for stall in window.loop.stalls
    )
    return replace(
        with_route(
            with_pool(
                longer,
                checkouts=pool.checkouts * by,
                timeouts=pool.timeouts * by,
                busy_seconds=pool.busy_seconds * by,
                wait=_more(pool.wait, by),
                hold=_more(pool.hold, by),
            ),
            requests=route.requests * by,
            busy_seconds=route.busy_seconds * by,
            hold=_more(route.hold, by),
        ),
        seconds=window.seconds * by,
        cpu_seconds=window.cpu_seconds * by,
        loop=LoopWindow(window.loop.lag, stalls),
    )


def _more(times: Distribution, by: int) -> Distribution:
    return replace(times, count=times.count * by)


def _noisy(window: LoadWindow, rate: float, hold: float, wait: float, active: float) -> LoadWindow:
    """The same load with other readings; CPU that a neighbour took is validity's business."""
    client = window.client
    requests = max(round(client.requests * rate), 1)
    ok = min(round(client.ok * rate), requests)
    rates = tuple(value * rate for value in client.rates)
    slower = with_client(window, requests=requests, ok=ok, rates=rates)
    assert window.server is not None
    working = min(window.server.active * active, window.server.active + 1)
    return with_server(
        with_route(
            with_pool(slower, **_stretched(window.pools[0], hold, wait)),
            **_stretched(window.routes[0], hold, wait),
        ),
        active=working,
    )


def _stretched(
    measured: PoolWindow | RouteWindow, hold: float, wait: float
) -> dict[str, Distribution | float]:
    return {
        "hold": _longer(measured.hold, hold),
        "wait": _longer(measured.wait, wait),
        "busy_seconds": measured.busy_seconds * hold,
    }


def _longer(times: Distribution, by: float) -> Distribution:
    return replace(
        times,
        mean_seconds=times.mean_seconds * by,
        p50_seconds=times.p50_seconds * by,
        p95_seconds=times.p95_seconds * by,
        p99_seconds=times.p99_seconds * by,
        max_seconds=times.max_seconds * by,
    )
