"""Counts that several threads change at once: what one of them adds, no other takes away.

The interpreter has them take turns as often as it can: by default so rarely that what is wrong here
would be found in production first.
"""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import Pool, QueuePool

from harness.capture.histogram import Histogram
from harness.capture.meter import Meter
from harness.capture.pool import PoolListener
from harness.capture.pool_state import Held, PoolState
from harness.capture.requests import ActiveRequest, current_request
from harness.capture.tracking import RequestTracker

_THREADS = 4


class Unheard:
    """Whoever does not want to know."""

    def on_return(self, held: Held, hold_seconds: float) -> None:
        pass

    def on_pool_timeout(
        self, pool: PoolState, waited_seconds: float, request: ActiveRequest | None
    ) -> None:
        pass


@pytest.fixture(autouse=True)
def many_turns() -> Iterator[None]:
    """Threads take turns wherever they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    """A pool that has a connection for every thread."""
    engine = create_engine(
        f"sqlite:///{tmp_path}/threads.db", poolclass=QueuePool, pool_size=_THREADS
    )
    yield engine.pool
    engine.dispose()


@pytest.fixture
def request_under_way() -> ActiveRequest:
    """A request."""
    return RequestTracker().begin({"type": "http", "method": "GET", "path": "/"})


def _at_once(work: Callable[[], object]) -> None:
    """Do it in all threads, which begin together."""
    barrier = Barrier(_THREADS)

    def begin() -> None:
        barrier.wait(30)
        work()

    with ThreadPoolExecutor(_THREADS) as threads:
        for done in [threads.submit(copy_context().run, begin) for _ in range(_THREADS)]:
            done.result()


def test_durations_are_added_to_the_sum_by_every_thread() -> None:
    histogram = Histogram()

    def add() -> None:
        for _ in range(2000):
            histogram.add_all([0.5] * 4)
            histogram.add(0.5)

    _at_once(add)

    assert (histogram.count, histogram.sum_seconds) == (_THREADS * 10000, _THREADS * 5000.0)


def test_a_pool_that_threads_use_first_at_once_is_one_pool(tmp_path: Path) -> None:
    listener = PoolListener(Unheard())
    engines = [create_engine(f"sqlite:///{tmp_path}/{number}.db") for number in range(80)]
    with listener.listening():
        for engine in engines:
            _at_once(lambda engine=engine: engine.connect().close())  # type: ignore[misc]
            engine.dispose()

    assert [state.checkouts for state in listener.pools] == [_THREADS] * len(engines)
    assert len({state.name for state in listener.pools}) == len(engines)


@pytest.mark.parametrize("is_of_request", [False, True])
def test_no_connection_is_lost_between_threads(
    pool: Pool, request_under_way: ActiveRequest, *, is_of_request: bool
) -> None:
    listener = PoolListener(Unheard())

    def take() -> None:
        for _ in range(2000):
            connection = pool.connect()
            assert len(listener.held) > 0
            connection.close()

    token = current_request.set(request_under_way if is_of_request else None)
    with listener.listening():
        _at_once(take)
        kept = pool.connect()
        held, by_request = len(listener.held), len(listener.held_by(request_under_way))
        kept.close()
    current_request.reset(token)

    [state] = listener.pools
    assert (held, by_request) == (1, int(is_of_request))
    assert (listener.held, state.checked_out, state.demand) == ((), 0, 0)


def test_a_request_whose_threads_ask_first_at_once_is_under_way_once(
    pool: Pool, pytestconfig: pytest.Config
) -> None:
    tracker = RequestTracker()
    meter = Meter(tracker)
    with meter.listening():
        for _ in range(100):
            scope = {"type": "http", "method": "GET", "path": "/", "route": pytestconfig}
            token = current_request.set(request := tracker.begin(scope))
            _at_once(lambda: pool.connect().close())
            current_request.reset(token)
            tracker.end(request)

    [route] = meter.status()["routes"].values()
    assert (route["requests"], route["active"]) == (100, 0)
    assert route["checkouts"] == 100 * _THREADS
