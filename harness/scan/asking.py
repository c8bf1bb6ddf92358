"""Which path an operation is asked for, at one size after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from harness.scan.calls import Answer
from harness.scan.operations import ScannedOperation
from harness.scan.row_values import RowValues

__all__ = ["Asked", "Scanned", "ask", "ask_for_pages"]


class Asked(Protocol):
    """Whoever answers."""

    def call(self, path: str, *, n: int) -> Answer:
        """Request a path, with n rows in every table."""
        ...


@dataclass(slots=True, eq=False)
class Scanned:
    """One operation and its answers so far."""

    operation: ScannedOperation
    answers: list[Answer] = field(default_factory=list)
    pages: list[Answer] = field(default_factory=list)
    """The first page and the second, of equal size, where there are pages."""
    unfilled: Sequence[str] = ()
    """Required parameters that no value was found for."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Values of the required parameters that were answered."""

    @property
    def is_given_up(self) -> bool:
        """Whether further sizes would tell nothing."""
        return bool(self.unfilled) or any(answer.problem for answer in self.answers)


def ask(item: Scanned, caller: Asked, values: RowValues, size: int) -> None:
    """Request an operation at one size: by what answered before, else by what rows there are."""
    if item.answers:
        path = item.operation.path(item.values, size=size)
        item.answers.append(caller.call(path, n=size))
        return
    item.unfilled = values.missing(item.operation)
    found = None
    for choice in () if item.unfilled else values.choices(item.operation):
        item.values = choice
        found = caller.call(item.operation.path(choice, size=size), n=size)
        if not found.is_not_found:
            break
    item.answers += [found] if found is not None else []


def ask_for_pages(item: Scanned, caller: Asked, size: int) -> None:
    """Request the first and the second page of half the size: they should cost the same."""
    if item.is_given_up or not item.answers or not item.operation.is_paged:
        return
    half = size // 2
    for page in (0, 1):
        path = item.operation.path(item.values, size=half, page=page)
        item.pages.append(caller.call(path, n=half * (page + 1)))
