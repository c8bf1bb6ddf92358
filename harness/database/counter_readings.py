"""Two readings of a server's statement counters, and what lies between them.

Kept apart from asking the server (`server_counts`): the counters are everybody's, entries get lost
in several ways, and which of them a difference survives is decided here without any server.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from harness.capture.fingerprint import Fingerprint, fingerprint
from harness.capture.server_shapes import server_shape
from harness.capture.server_tally import ServerShape, ServerTally
from harness.findings import Verdict

__all__ = ["Entry", "Numbers", "Reading", "difference"]

_UNKNOWN = "(unknown)"
"""The server lost the text, or does not show it to our role."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the server has counted of something."""

    calls: int = 0
    rows: int = 0
    seconds: float = 0.0

    def __add__(self, other: Numbers) -> Numbers:
        return Numbers(
            self.calls + other.calls, self.rows + other.rows, self.seconds + other.seconds
        )

    def __sub__(self, other: Numbers) -> Numbers:
        # Sums of the server's floats may come out a trifle below what they were.
        seconds = max(0.0, self.seconds - other.seconds)
        return Numbers(self.calls - other.calls, self.rows - other.rows, seconds)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the server keeps counters for."""

    role: str
    query_id: int | None
    """None where our role may not know it; then all such statements of the role are one entry."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters of one database at one moment."""

    database_oid: int | None
    """None where there is no such database yet, or any more."""
    evicted: int
    """How often the server dropped entries for lack of room."""
    reset_at: object
    counters: Mapping[Entry, Numbers] = field(default_factory=dict)
    texts: Mapping[Entry, str | None] = field(default_factory=dict)


def difference(
    before: Reading,
    after: Reading,
    *,
    database: str,
    roles: Collection[str],
    has_utility: bool = True,
) -> ServerTally:
    """What was run between two readings.

    Args:
        before: The first.
        after: The second.
        database: Whose counters they are.
        roles: Whose statements are told by shape.
        has_utility: Whether the server counts utility statements.
    """
    added = {
        entry: numbers - before.counters.get(entry, Numbers())
        for entry, numbers in after.counters.items()
    }
    reason = _loss(before, after, added)
    return ServerTally(
        database,
        Verdict.INCONCLUSIVE if reason else Verdict.PASS,
        reason,
        shapes=tuple(_by_shape(added, after.texts, roles)),
        other_roles=tuple(_by_role(added, roles)),
        has_utility=has_utility,
    )


def _loss(before: Reading, after: Reading, added: Mapping[Entry, Numbers]) -> str:
    """Why the difference is less than what ran; empty where it is exact."""
    if before.database_oid not in {None, after.database_oid}:
        return "the database was dropped, or made anew, meanwhile"
    if after.reset_at != before.reset_at or after.evicted < before.evicted:
        return "somebody reset pg_stat_statements meanwhile, or the server crashed and lost it"
    if after.evicted > before.evicted:
        return (
            "the server had no room for more statements and dropped the counts of rare ones, "
            f"{after.evicted - before.evicted} times: raise pg_stat_statements.max"
        )
    has_shrunk = any(numbers.calls < 0 for numbers in added.values())
    if has_shrunk or not before.counters.keys() <= after.counters.keys():
        return "somebody reset single entries of pg_stat_statements meanwhile"
    return ""


def _by_shape(
    added: Mapping[Entry, Numbers], texts: Mapping[Entry, str | None], roles: Collection[str]
) -> Iterator[ServerShape]:
    shapes: defaultdict[Fingerprint, Numbers] = defaultdict(Numbers)
    for entry, numbers in added.items():
        if entry.role in roles and numbers.calls > 0:
            shapes[_shape(texts.get(entry))] += numbers
    for shape, sums in sorted(shapes.items(), key=lambda pair: (-pair[1].calls, pair[0].text)):
        yield ServerShape(shape, sums.calls, sums.rows, sums.seconds)


def _shape(text: str | None) -> Fingerprint:
    return fingerprint(_UNKNOWN, is_compiled=True) if text is None else server_shape(text)


def _by_role(added: Mapping[Entry, Numbers], roles: Collection[str]) -> Iterator[tuple[str, int]]:
    calls: Counter[str] = Counter()
    for entry, numbers in added.items():
        if entry.role not in roles and numbers.calls > 0:
            calls[entry.role] += numbers.calls
    yield from calls.most_common()
