"""Keeps everything that happens in the process between two moments.

Process-wide on purpose: work in threads, executors and live servers counts too. What belongs to a
request is told apart by the request that the context carries, not by who listens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from harness.capture.pool import PoolListener, PoolState
from harness.capture.recording import (
    Checkout,
    Phase,
    Recording,
    RequestRecord,
    RoundTrip,
    Transaction,
)
from harness.capture.requests import ActiveRequest, RequestTracker
from harness.capture.source import SourceMap
from harness.capture.statements import StatementListener
from harness.capture.transactions import TransactionListener

__all__ = ["Recorder", "recording"]


@dataclass(slots=True, eq=False)
class Recorder:
    """Collects records; `snapshot` freezes what there is."""

    source: SourceMap
    _round_trips: list[RoundTrip] = field(default_factory=list)
    _requests: list[RequestRecord] = field(default_factory=list)
    _checkouts: list[Checkout] = field(default_factory=list)
    _transactions: list[Transaction] = field(default_factory=list)
    _transaction_controls: int = 0

    def snapshot(self) -> Recording:
        """Everything so far."""
        return Recording(
            round_trips=tuple(self._round_trips),
            requests=tuple(self._requests),
            checkouts=tuple(self._checkouts),
            transaction_controls=self._transaction_controls,
            transactions=tuple(self._transactions),
        )

    def on_round_trip(self, trip: RoundTrip) -> None:
        """Keep a round trip, unless it belongs to the application's start-up."""
        if trip.phase is not Phase.LIFESPAN:
            self._round_trips.append(trip)

    def on_transaction_control(self) -> None:
        """Count a SAVEPOINT or its kin."""
        self._transaction_controls += 1

    def on_request(self, request: ActiveRequest) -> None:
        """Keep a request."""
        self._requests.append(request.finish(self.source.definition))

    def on_transaction(self, transaction: Transaction) -> None:
        """Keep a transaction."""
        self._transactions.append(transaction)

    def on_checkout(self, checkout: Checkout) -> None:
        """Keep a checkout."""
        self._checkouts.append(checkout)

    def on_pool_timeout(self, pool: PoolState, waited_seconds: float) -> None:
        """The exception tells; nothing to keep."""


@contextmanager
def recording(source: SourceMap, *, requests: RequestTracker | None = None) -> Iterator[Recorder]:
    """Record the statements, checkouts and requests of a block.

    Args:
        source: Tells the user's code from libraries.
        requests: Tracks the application whose requests are to be recorded.
    """
    recorder = Recorder(source)
    with ExitStack() as stack:
        stack.enter_context(PoolListener(recorder).listening())
        transactions = TransactionListener(recorder)
        stack.enter_context(transactions.listening())
        stack.enter_context(StatementListener(recorder, source, transactions).listening())
        if requests is not None:
            stack.enter_context(requests.observed_by(recorder))
        yield recorder
