"""What one transaction ran, as far as a log can tell transactions apart.

A log names no transaction. Under one tag, or on one thread, what stands between BEGIN and COMMIT
is one; where a second BEGIN comes before, what follows belongs to both and is marked as shared.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Window"]

_MOST_SHAPES = 1000


@dataclass(slots=True)
class Window:
    """The statements of one transaction, or of several that cannot be told apart."""

    open: int = 0
    """Transactions that are open now."""
    most_open: int = 0
    statements: int = 0
    times: Counter[str] = field(default_factory=Counter)
    """By the shape's identity."""
    runs: Counter[str] = field(default_factory=Counter)
    """The longest uninterrupted run of each shape."""
    _last: str = ""
    _run: int = 0

    @property
    def is_shared(self) -> bool:
        """Whether more than one transaction ran in it."""
        return self.most_open > 1

    def begin(self) -> None:
        """A transaction begins in it."""
        self.open += 1
        self.most_open = max(self.most_open, self.open)

    def end(self) -> bool:
        """A transaction ends; tells whether that was the last one."""
        self.open -= 1
        return self.open <= 0

    def add(self, shape: str) -> None:
        """A statement ran."""
        self.statements += 1
        self._run = self._run + 1 if shape == self._last else 1
        self._last = shape
        if shape in self.times or len(self.times) < _MOST_SHAPES:
            self.times[shape] += 1
            self.runs[shape] = max(self.runs[shape], self._run)
