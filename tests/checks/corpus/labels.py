"""The labels of the corpus: what a handler earns, written above it.

A comment ``# load`` marks the line that a finding has to name as the place to edit.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from harness.findings import Finding

__all__ = ["Case", "Expected", "cases_in", "clean", "finds"]

F = TypeVar("F", bound=Callable[..., Any])

_LABELS = "corpus_labels"
_LOAD = "# load"


@dataclass(frozen=True, slots=True)
class Expected:
    """A finding that a case has to produce."""

    kind: str
    label: str | None = None
    """What the finding is about, such as a relationship; None where the kind says it all."""

    def matches(self, finding: Finding) -> bool:
        """Whether a finding is the one that is meant."""
        return finding.kind == self.kind and self.label in {None, finding.label}


@dataclass(frozen=True, slots=True)
class Case:
    """A handler and its labels."""

    handler: Callable[..., Any]
    expected: tuple[Expected, ...]

    @property
    def name(self) -> str:
        """What the handler is called."""
        return self.handler.__name__

    @property
    def load_lines(self) -> frozenset[int]:
        """The lines that are marked as the ones to edit; empty if none is."""
        lines, first = inspect.getsourcelines(self.handler)
        return frozenset(first + n for n, line in enumerate(lines) if _LOAD in line)


def finds(kind: str, label: str | None = None) -> Callable[[F], F]:
    """The handler earns this finding; several labels may stand above one handler."""

    def mark(handler: F) -> F:
        setattr(handler, _LABELS, (Expected(kind, label), *getattr(handler, _LABELS, ())))
        return handler

    return mark


def clean(handler: F) -> F:
    """The handler earns nothing."""
    setattr(handler, _LABELS, ())
    return handler


def cases_in(module: ModuleType) -> Iterator[Case]:
    """The labelled handlers of a module, in the order in which they stand there."""
    for handler in list(vars(module).values()):
        if inspect.isfunction(handler) and hasattr(handler, _LABELS):
            yield Case(handler, getattr(handler, _LABELS))
