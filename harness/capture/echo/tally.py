"""What an echo log adds up to: plain numbers, which a report may show and a gate may judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.capture.fingerprint import Fingerprint

__all__ = ["EchoTally", "Repeat", "ShapeCount", "TagCount", "TransactionCount", "Units"]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The most often that one transaction ran one shape."""

    times: int
    times_in_a_row: int
    """Without a statement of another shape in between; at most `times`."""
    tag: str
    """Of that transaction; empty where the log has no tags."""
    is_shared: bool
    """Whether several transactions were open at once, which the log does not tell apart."""


@dataclass(frozen=True, slots=True)
class ShapeCount:
    """How often statements of one shape ran."""

    shape: Fingerprint
    statements: int
    round_trips: int
    repeat: Repeat
    repeating_transactions: int
    """How many transactions ran it `EchoTally.repeats_from` times or more."""


@dataclass(frozen=True, slots=True)
class TagCount:
    """What ran under one tag: one request, where tokens are made per request."""

    tag: str
    statements: int
    round_trips: int
    transactions: int
    shape: Fingerprint | None
    """The one that ran most often under it; None where it ran nothing twice."""
    times: int
    """How often that one ran."""


@dataclass(frozen=True, slots=True)
class Units:
    """How many transactions, or tags, ran how many statements."""

    by_statements: Mapping[int, int] = field(default_factory=dict)

    def above(self, statements: int) -> int:
        """How many ran more than so many."""
        return sum(units for count, units in self.by_statements.items() if count > statements)

    @property
    def most(self) -> int:
        """Statements of the largest; 0 where there is none."""
        return max(self.by_statements, default=0)

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.by_statements.values())


@dataclass(frozen=True, slots=True)
class TransactionCount:
    """How many transactions of one kind ran so many statements."""

    statements: int
    is_tagged: bool
    is_shared: bool
    """Several were open at once, which the log does not tell apart: `statements` is their sum."""
    transactions: int


@dataclass(frozen=True, slots=True)
class EchoTally:
    """Everything counted between two moments of a log."""

    lines: int
    """Read; 0 where records came without ever being lines."""
    messages: int
    """Of the engine's loggers, of any kind: 0 means that nothing could be seen."""
    statements: int
    round_trips: int
    executemany: int
    """Round trips with several sets of parameters, which the driver may send one by one."""
    setups: int
    """Questions that a dialect asks on its first connection; counted nowhere else."""
    begins: int
    commits: int
    rollbacks: int
    savepoints: int
    """SAVEPOINT, RELEASE and what else controls a transaction as a statement."""
    shapes: tuple[ShapeCount, ...]
    """Most statements first; those without a known text are under the shape ``(unknown)``."""
    tags: tuple[TagCount, ...]
    """Most statements first; the largest, where there are more than `tag_count`."""
    tag_count: int
    by_tag: Units
    transactions: tuple[TransactionCount, ...]
    """What ran between one transaction and the next counts as one, too."""
    most_open: int
    """Transactions open at once under one tag, or under none: above 1 the log is ambiguous."""
    repeats_from: int
    """What counts as a repetition within one transaction."""
    cut: int = 0
    """Statements whose parameters never came, as where the log ends between the two."""
    textless: int = 0
    """Round trips whose text never came, as where the log begins between the two."""
    unlisted_statements: int = 0
    """Statements of shapes that came after the table of shapes was full."""

    def by_transaction(self, *, is_shared: bool = False, is_untagged: bool = False) -> Units:
        """How many transactions ran how many statements.

        Args:
            is_shared: Those that cannot be told apart, instead of those that can.
            is_untagged: Only those without a tag.
        """
        sizes: Counter[int] = Counter()
        for each in self.transactions:
            if each.is_shared == is_shared and not (is_untagged and each.is_tagged):
                sizes[each.statements] += each.transactions
        return Units(sizes)
