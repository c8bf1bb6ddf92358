"""Keeps everything that happens in the process between two moments.

Process-wide on purpose: work in threads, executors and live servers counts too. What belongs to a
request is told apart by the request that the context carries, not by who listens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from sqlalchemy import URL
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

from harness.capture.description import Describer
from harness.capture.guard import Guard
from harness.capture.pool import PoolListener
from harness.capture.pool_state import Held, PoolState
from harness.capture.recording import Checkout, Recording, RequestRecord, Tally, Transaction
from harness.capture.refusals import RefusalListener
from harness.capture.requests import ActiveRequest
from harness.capture.source import SourceMap
from harness.capture.stacks import StackBook
from harness.capture.statements import MOST_KEPT, StatementListener
from harness.capture.tracking import RequestTracker
from harness.capture.transactions import TransactionListener

__all__ = ["Recorder", "recording"]


@dataclass(slots=True, eq=False)
class Recorder:
    """Collects records; `snapshot` freezes what there is."""

    source: SourceMap
    guard: Guard = field(default_factory=Guard)
    watches: Callable[[Engine], bool] | None = None
    most_kept: int = MOST_KEPT
    _statements: StatementListener = field(init=False)
    _transaction_listener: TransactionListener = field(init=False)
    _refusals: RefusalListener = field(init=False)
    _describer: Describer = field(init=False)
    _requests: list[RequestRecord] = field(default_factory=list)
    _checkouts: list[Checkout] = field(default_factory=list)
    _transactions: list[Transaction] = field(default_factory=list)
    _tracker: RequestTracker | None = None

    def __post_init__(self) -> None:
        self._transaction_listener = TransactionListener(self, guard=self.guard)
        self._statements = StatementListener(
            self.source,
            self._transaction_listener,
            guard=self.guard,
            watches=self.watches,
            most_kept=self.most_kept,
        )
        self._refusals = RefusalListener(StackBook(self.source), guard=self.guard)
        self._describer = Describer(self.source)

    @contextmanager
    def listening(self, requests: RequestTracker | None = None) -> Iterator[None]:
        """Record what happens inside the block."""
        with ExitStack() as stack:
            stack.enter_context(PoolListener(self, guard=self.guard).listening())
            stack.enter_context(self._transaction_listener.listening())
            stack.enter_context(self._statements.listening())
            stack.enter_context(self._refusals.listening())
            if requests is not None:
                self._tracker = requests
                stack.enter_context(requests.observed_by(self))
            yield

    def snapshot(self) -> Recording:
        """Everything so far."""
        scopes = list(self._statements.scopes.values())
        trips = [trip for scope in scopes for trip in self._describer.round_trips(scope)]
        tallies = tuple(map(self._describer.tally, scopes))
        return Recording(
            round_trips=tuple(sorted(trips, key=lambda trip: (trip.statement, trip.batch))),
            requests=(*self._requests, *self._under_way()),
            checkouts=tuple(self._checkouts),
            transaction_controls=sum(tally.transaction_controls for tally in tallies),
            transactions=tuple(self._transactions),
            refusals=tuple(self._describer.refusals(self._refusals.noted, self._statements.scopes)),
            tallies=tallies,
            notices=tuple(self._notices(tallies)),
            failure=self.guard.failure,
        )

    def _under_way(self) -> Iterator[RequestRecord]:
        """Exchanges on WebSockets that are open: they may outlast the recording."""
        for request in self._tracker.open_exchanges if self._tracker is not None else ():
            yield request.finish(self.source.definition)

    def _notices(self, tallies: Iterable[Tally]) -> Iterator[str]:
        if self._statements.shapes.notice:
            yield self._statements.shapes.notice
        for tally in tallies:
            if tally.kept < tally.round_trips and not self.guard.failure:
                whose = "outside of requests" if tally.request is None else "of one request"
                yield (
                    f"{tally.round_trips} round trips {whose} were counted, "
                    f"and the first {tally.kept} of them described"
                )

    def on_request(self, request: ActiveRequest) -> None:
        """Keep a request."""
        try:
            self._requests.append(request.finish(self.source.definition))
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self.guard.remember(error)

    def on_transaction(self, transaction: Transaction) -> None:
        """Keep a transaction."""
        self._transactions.append(transaction)

    def on_return(self, held: Held, hold_seconds: float) -> None:
        """Keep a checkout."""
        self._checkouts.append(held.checkout(hold_seconds))

    def on_pool_timeout(
        self, pool: PoolState, waited_seconds: float, request: ActiveRequest | None
    ) -> None:
        """The exception tells; nothing to keep."""


@contextmanager
def recording(
    source: SourceMap,
    *,
    requests: RequestTracker | None = None,
    only: URL | Pool | None = None,
    most_kept: int = MOST_KEPT,
) -> Iterator[Recorder]:
    """Record the statements, checkouts and requests of a block.

    Args:
        source: Tells the user's code from libraries.
        requests: Tracks the application whose requests are to be recorded.
        only: The database or the pool whose statements are wanted; by default all: applications
            make engines per request, and a URL or a pool is what these have in common.
        most_kept: Round trips that are described of each request; all are counted.
    """
    watches = None if only is None else _watching(only)
    recorder = Recorder(source, watches=watches, most_kept=most_kept)
    with recorder.listening(requests):
        yield recorder


def _watching(only: URL | Pool) -> Callable[[Engine], bool]:
    if isinstance(only, Pool):
        return lambda engine: engine.pool is only
    wanted = _address(only)
    return lambda engine: _address(engine.url) == wanted


def _address(url: URL) -> tuple[object, ...]:
    """Where a URL leads, whichever driver and options it names."""
    return url.get_backend_name(), url.host, url.port, url.database
