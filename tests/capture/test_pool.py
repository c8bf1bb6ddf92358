"""Connections leaving the pool and coming back, counted and timed."""

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import Dialect, Engine, create_engine, event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import NullPool, Pool, PoolProxiedConnection, QueuePool

from harness.capture import SourceMap, recording
from harness.capture.pool import PoolListener
from harness.capture.pool_state import Held, PoolState
from harness.capture.recording import Checkout
from harness.capture.requests import ActiveRequest, current_request
from harness.capture.tracking import RequestTracker
from harness.errors import BlindRecorderError


class Collected:
    """Keeps what a listener reports."""

    def __init__(self) -> None:
        self.checkouts: list[Checkout] = []
        self.timeouts_seconds: list[float] = []

    def on_return(self, held: Held, hold_seconds: float) -> None:
        self.checkouts.append(held.checkout(hold_seconds))

    def on_pool_timeout(
        self, pool: PoolState, waited_seconds: float, request: ActiveRequest | None
    ) -> None:
        assert request is None
        assert pool.timeouts
        self.timeouts_seconds.append(waited_seconds)


@pytest.fixture
def collected() -> Collected:
    """What the listener of the test reports."""
    return Collected()


@pytest.fixture
def listener(collected: Collected) -> Iterator[PoolListener]:
    """A listener at work."""
    listener = PoolListener(collected)
    with listener.listening():
        yield listener


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine with a pool of one connection."""
    engine = create_engine(
        f"sqlite:///{tmp_path}/pool.db", pool_size=1, max_overflow=0, pool_timeout=10
    )
    yield engine
    engine.dispose()


def test_a_checkout_is_reported_when_the_connection_is_back(
    engine: Engine, listener: PoolListener, collected: Collected
) -> None:
    with engine.connect():
        assert (listener.pools[0].checked_out, collected.checkouts) == (1, [])

    assert listener.pools[0].checked_out == 0
    assert [checkout.pool for checkout in collected.checkouts] == ["pool 1"]


def _burst(engine: Engine) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(engine.connect())


def _invalidated(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.invalidate()


def _detached(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.detach()


def _replaced(engine: Engine) -> None:
    _invalidated(engine)
    engine.connect().close()


def _disposed(engine: Engine) -> None:
    engine.connect().close()
    engine.dispose()


@pytest.mark.parametrize(
    ("use", "creations", "still_open"),
    [
        (_burst, 3, 1),
        (_invalidated, 1, 0),
        (_detached, 1, 0),
        (_replaced, 2, 1),
        (_disposed, 1, 0),
    ],
)
def test_a_connection_is_open_until_the_pool_has_it_no_more(
    tmp_path: Path,
    listener: PoolListener,
    *,
    use: Callable[[Engine], None],
    creations: int,
    still_open: int,
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/pool.db", pool_size=1, max_overflow=2)
    use(engine)

    state = listener.pools[0]
    assert (state.creations, state.open_connections) == (creations, still_open)
    engine.dispose()


def test_a_connection_that_is_out_is_open(engine: Engine, listener: PoolListener) -> None:
    with engine.connect():
        assert listener.pools[0].open_connections == 1


def test_places_of_connections_are_not_kept_alive(engine: Engine, listener: PoolListener) -> None:
    for _ in range(3):
        engine.connect().close()
        engine.dispose()
    gc.collect()

    # A leak of one entry for each connection would show nowhere else.
    assert [len(state._places) for state in listener.pools] == [0, 0, 0]  # noqa: SLF001


def test_the_size_of_the_pool_is_known(engine: Engine, listener: PoolListener) -> None:
    engine.connect().close()

    (pool,) = listener.pools
    assert (pool.size, pool.max_overflow, pool.timeout_seconds) == (1, 0, 10)


def test_a_pool_without_a_size_is_counted_too(tmp_path: Path, listener: PoolListener) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/null.db", poolclass=NullPool)
    engine.connect().close()

    (pool,) = listener.pools
    assert (pool.size, pool.checkouts, pool.creations, pool.waiting) == (None, 1, 1, 0)


def test_the_time_that_making_a_connection_takes_is_kept_apart(
    engine: Engine, listener: PoolListener, collected: Collected
) -> None:
    measured_seconds = []

    @event.listens_for(engine, "do_connect")
    def measured(dialect: Dialect, _: object, args: list[str], options: dict[str, Any]) -> object:
        started = perf_counter()
        connection = dialect.connect(*args, **options)
        measured_seconds.append(perf_counter() - started)
        return connection

    engine.connect().close()
    engine.connect().close()

    made, pooled = collected.checkouts
    assert made.create_seconds >= measured_seconds[0]
    assert pooled.create_seconds == 0.0
    assert listener.pools[0].creations == 1


def test_waiting_lasts_until_the_holder_gives_back(
    engine: Engine, listener: PoolListener, collected: Collected
) -> None:
    with ThreadPoolExecutor() as threads:
        with engine.connect():
            asking = threads.submit(_connect_and_close, engine)
            _until(lambda: listener.pools[0].waiting == 1)
            started = perf_counter()
            waited_seconds = perf_counter() - started
        asking.result()

    held, waited = collected.checkouts
    assert waited.wait_seconds >= waited_seconds
    assert held.hold_seconds >= waited_seconds
    assert listener.pools[0].peak_waiting == 1
    assert listener.pools[0].waiting == 0


def test_somebody_who_is_served_at_once_does_not_wait(
    engine: Engine, listener: PoolListener
) -> None:
    engine.connect().close()
    engine.connect().close()

    assert (listener.pools[0].checkouts, listener.pools[0].peak_waiting) == (2, 0)


def test_the_peaks_stay_when_the_load_has_gone(tmp_path: Path, listener: PoolListener) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/peak.db", pool_size=2, max_overflow=1)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(engine.connect())
    engine.dispose()

    (pool,) = listener.pools
    assert (pool.checked_out, pool.peak_checked_out, pool.peak_waiting) == (0, 3, 0)


def test_giving_up_is_a_timeout_with_the_time_spent(
    tmp_path: Path, listener: PoolListener, collected: Collected
) -> None:
    engine = create_engine(
        f"sqlite:///{tmp_path}/pool.db", pool_size=1, max_overflow=0, pool_timeout=0.01
    )

    with engine.connect(), pytest.raises(PoolTimeoutError):
        engine.connect()
    engine.dispose()

    (pool,) = listener.pools
    assert (pool.timeouts, pool.checkouts, pool.waiting) == (1, 1, 0)
    assert [seconds >= 0.01 for seconds in collected.timeouts_seconds] == [True]


def test_a_detached_connection_has_left_the_pool_for_good(
    engine: Engine, listener: PoolListener, collected: Collected
) -> None:
    with engine.connect() as connection:
        connection.detach()

        assert listener.pools[0].checked_out == 0
    assert len(collected.checkouts) == 1


def test_an_invalidated_connection_is_not_out(engine: Engine, listener: PoolListener) -> None:
    with engine.connect() as connection:
        connection.invalidate()

    assert listener.pools[0].checked_out == 0


def test_a_connection_that_the_application_refuses_is_out_once(
    engine: Engine, listener: PoolListener
) -> None:
    answers = iter([DisconnectionError])

    @event.listens_for(engine, "checkout")
    def refuse_once(*_: object) -> None:
        for error in answers:
            raise error

    with engine.connect():
        assert listener.pools[0].checked_out == 1

    assert (listener.pools[0].checked_out, listener.pools[0].demand) == (0, 0)


def test_a_pool_that_dispose_made_anew_is_counted(engine: Engine, listener: PoolListener) -> None:
    engine.connect().close()
    engine.dispose()
    engine.connect().close()

    assert [(pool.name, pool.checkouts) for pool in listener.pools] == [
        ("pool 1", 1),
        ("pool 2", 1),
    ]


def test_a_connection_that_came_before_the_listener_is_not_counted(
    engine: Engine, collected: Collected
) -> None:
    listener = PoolListener(collected)
    with engine.connect() as connection, listener.listening():
        connection.close()

    assert (listener.pools, collected.checkouts) == ([], [])


def test_two_listeners_each_count_for_themselves(
    engine: Engine, listener: PoolListener, collected: Collected
) -> None:
    other = Collected()
    second = PoolListener(other)
    with second.listening():
        engine.connect().close()

    for pools in (listener.pools, second.pools):
        assert [(pool.checkouts, pool.peak_checked_out) for pool in pools] == [(1, 1)]
    assert len(collected.checkouts) == len(other.checkouts) == 1


def test_listeners_may_end_in_the_order_in_which_they_began(engine: Engine) -> None:
    connect = vars(Pool)["connect"]
    first, second = PoolListener(Collected()), PoolListener(Collected())
    with ExitStack() as firsts, ExitStack() as seconds:
        firsts.enter_context(first.listening())
        seconds.enter_context(second.listening())
        firsts.close()
        engine.connect().close()
        seconds.close()

    assert (first.pools, [pool.checkouts for pool in second.pools]) == ([], [1])
    assert vars(Pool)["connect"] is connect


def test_an_error_in_the_block_still_leaves_sqlalchemy_as_it_was(collected: Collected) -> None:
    connect = vars(Pool)["connect"]
    listener = PoolListener(collected)

    with pytest.raises(KeyboardInterrupt), listener.listening():
        raise KeyboardInterrupt

    assert vars(Pool)["connect"] is connect


def test_nothing_is_heard_of_connections_that_come_back_after_the_block(
    engine: Engine, collected: Collected
) -> None:
    listener = PoolListener(collected)
    with listener.listening():
        connection = engine.connect()

    connection.close()

    assert (listener.pools[0].checkouts, collected.checkouts) == (1, [])


def test_what_is_out_when_the_block_ends_is_not_out_in_the_next(
    engine: Engine, collected: Collected
) -> None:
    listener = PoolListener(collected)
    with listener.listening():
        connection = engine.connect()
    connection.close()

    with listener.listening():
        [state] = listener.pools
        found = listener.held, state.checked_out, state.demand, state.waiting

    assert found == ((), 0, 0, 0)


def test_a_connection_that_leaves_the_pool_at_once_keeps_nobody_waiting(
    engine: Engine, listener: PoolListener
) -> None:
    @event.listens_for(engine, "checkout")
    def leave(_: object, __: object, proxy: PoolProxiedConnection) -> None:
        proxy.detach()

    for _ in range(3):
        engine.connect().close()

    [state] = listener.pools
    assert (state.checkouts, state.checked_out, state.demand) == (3, 0, 0)


class ReticentPool(QueuePool):
    """A pool that does not tell how long it waits."""

    def timeout(self) -> float:
        raise NotImplementedError


def test_a_pool_that_raises_when_it_is_asked_fails_the_recording_and_not_the_application(
    tmp_path: Path, source: SourceMap
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/odd.db", poolclass=ReticentPool)

    with recording(source) as recorder, engine.connect() as connection:
        answer = connection.execute(text("SELECT 1")).scalar()
    engine.dispose()

    taken = recorder.snapshot()
    assert (answer, taken.statement_count, taken.checkouts) == (1, 1, ())
    assert taken.failure.startswith("NotImplementedError in timeout (")
    with pytest.raises(BlindRecorderError):
        taken.complete()


class Unwilling(Collected):
    """Raises when a connection comes back, and when the pool gives up."""

    def on_return(self, held: Held, hold_seconds: float) -> None:  # noqa: ARG002 - as in the protocol
        raise ZeroDivisionError

    def on_pool_timeout(
        self,
        pool: PoolState,  # noqa: ARG002 - as in the protocol
        waited_seconds: float,  # noqa: ARG002 - as in the protocol
        request: ActiveRequest | None,  # noqa: ARG002 - as in the protocol
    ) -> None:
        raise ZeroDivisionError


def test_whoever_hears_of_checkouts_cannot_break_the_application(engine: Engine) -> None:
    listener = PoolListener(Unwilling())

    with listener.listening():
        engine.connect().close()
        engine.connect().close()

    assert listener.guard.failure.startswith("ZeroDivisionError in on_return")


def test_after_an_error_of_ours_nothing_is_taken_for_still_out(
    engine: Engine, tmp_path: Path
) -> None:
    listener, other = PoolListener(Unwilling()), create_engine(f"sqlite:///{tmp_path}/other.db")

    with listener.listening():
        with engine.connect():
            other.connect().close()
        held = listener.held
    other.dispose()

    assert listener.guard.failure
    assert held == ()


def test_the_application_gets_its_timeout_and_not_our_error(tmp_path: Path) -> None:
    engine = create_engine(
        f"sqlite:///{tmp_path}/pool.db", pool_size=1, max_overflow=0, pool_timeout=0.01
    )
    listener = PoolListener(Unwilling())

    with listener.listening(), engine.connect(), pytest.raises(PoolTimeoutError):
        engine.connect()
    engine.dispose()

    assert listener.guard.failure.startswith("ZeroDivisionError in on_pool_timeout")


def _connect_and_close(engine: Engine) -> None:
    engine.connect().close()


def _until(is_true: Callable[[], bool]) -> None:
    """Let other threads run until something is true, or the test fails."""
    pause, given_up_at = Event(), perf_counter() + 5
    while not is_true():
        assert perf_counter() < given_up_at
        pause.wait(0.001)


def test_connections_that_one_request_holds_at_once_are_counted(
    tmp_path: Path, listener: PoolListener, collected: Collected
) -> None:
    assert listener
    engine = create_engine(f"sqlite:///{tmp_path}/two.db", pool_size=2)
    request = RequestTracker().begin({"type": "http", "method": "GET", "path": "/"})
    token = current_request.set(request)
    with engine.connect(), engine.connect():
        pass
    current_request.reset(token)
    with engine.connect(), engine.connect():
        pass
    engine.dispose()

    assert [(item.request, item.held_at_once) for item in collected.checkouts] == [
        (request.number, 2),
        (request.number, 1),
        (None, 1),
        (None, 1),
    ]
