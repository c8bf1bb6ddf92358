"""Fills one table: a row from a choice for each column and parent, repaired until it is taken.

The choices are kept from row to row: what a CHECK wanted of the first it wants of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice, product
from typing import Protocol

from sqlalchemy import Connection, Table, Text, cast, insert
from sqlalchemy.exc import StatementError

from harness.database.populate.catalog import TableFacts
from harness.database.populate.order import Link
from harness.database.populate.refusals import Refusal, refusal_of
from harness.database.populate.values import DEFAULT, Form, Row, Value, expression

__all__ = ["Filler", "Parents", "Wish"]

_ATTEMPTS = 400
_OF_SEVERAL = 14
"""So many ways of each column are tried where a condition ties several together."""
_TIED = 3
_OTHER_NUMBERS = 8
"""So many other numbers are tried for what must be unique, each farther off than the last."""
_LONGEST_STRIDE = 1000

Choice = Mapping["str | Link", int]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which row is asked for."""

    index: int
    """0 for the first of its stratum; points at this row of each parent."""
    stratum: str = ""
    """Class of a hierarchy that the row belongs to."""
    fixed: Mapping[str, Value] = field(default_factory=dict)
    first_of: Link | None = None
    """The foreign key that leads to the very first parent, for a crowd of children."""
    is_root: bool = True
    """Whether a foreign key to the row's own table is left empty, where it may be."""
    is_worth_a_search: bool = True


class Parents(Protocol):
    """Whoever knows the rows of other tables."""

    def __call__(self, link: Link, wish: Wish) -> Sequence[Row]:
        """The rows that a foreign key of this row may lead to."""
        ...


@dataclass(slots=True, eq=False)
class Filler:
    """One table.

    Args:
        facts: The server's view.
        table: To insert into; has the defaults of the model.
        forms: Ways to fill each column that is no foreign key.
        parents: Knows the rows to point at.
    """

    facts: TableFacts
    table: Table
    forms: Mapping[str, Sequence[Form]]
    parents: Parents
    rows_before: int = 0
    """How many rows the table had before."""
    _choice: Choice = field(default_factory=dict)
    _number: int = 0

    def __post_init__(self) -> None:
        self._number = self.rows_before
        alone = {name for names in self.facts.uniques() if len(names) == 1 for name in names}
        self._choice = {
            name: next((at for at, form in enumerate(self.forms[name]) if form.is_distinct), 0)
            for name in alone & self.forms.keys()
        }

    def add_all(self, connection: Connection, wishes: Sequence[Wish]) -> list[Row | Refusal]:
        """Insert rows with one statement; where that is refused, one by one.

        Several rows at once cost what one costs. The server gives them back in order.
        """
        first, self._number = self._number, self._number + len(wishes)
        made = [
            self._values(wish, self._choice, number)
            for number, wish in enumerate(wishes, start=first + 1)
        ]
        rows = [values for values in made if not isinstance(values, Refusal)]
        if len(wishes) > 1 and len(rows) == len(wishes) and _are_alike(rows):
            taken = self._inserted(connection, rows)
            if not isinstance(taken, Refusal):
                return [*taken]
        self._number = first
        return [*self._one_by_one(connection, wishes)]

    def _one_by_one(
        self, connection: Connection, wishes: Sequence[Wish]
    ) -> Iterator[Row | Refusal]:
        for wish in wishes:
            outcome = self.add(connection, wish)
            yield outcome
            is_first = wish is wishes[0]
            if isinstance(outcome, Refusal) and (wish.is_worth_a_search or is_first):
                return  # those that come after it would be refused as well

    def add(self, connection: Connection, wish: Wish) -> Row | Refusal:
        """Insert a row, trying other values for what is refused."""
        self._number += 1
        outcome = self._tried(connection, wish, self._choice)
        solved: set[str] = set()
        while isinstance(outcome, Refusal) and wish.is_worth_a_search:
            if outcome.name in solved:
                break
            solved.add(outcome.name)
            outcome = self._searched(connection, wish, outcome, solved)
        return outcome

    def _searched(
        self, connection: Connection, wish: Wish, refusal: Refusal, solved: set[str]
    ) -> Row | Refusal:
        for attempt, choice in enumerate(islice(self._variations(refusal, wish), _ATTEMPTS)):
            if refusal.is_unique:
                self._number += min(2**attempt, _LONGEST_STRIDE)
            outcome = self._tried(connection, wish, choice)
            if isinstance(outcome, Refusal) and (outcome.name in solved or not refusal.columns):
                continue
            self._choice = choice
            return outcome
        return refusal

    def _variations(self, refusal: Refusal, wish: Wish) -> Iterator[Choice]:
        """Choices that differ in what was refused: in one place, then in several at once."""
        if refusal.is_unique:
            yield from [self._choice] * _OTHER_NUMBERS
        if not refusal.columns:
            yield self._without_defaults()
        places = self._places(refusal)
        ways = {place: [*self._others(place, refusal, wish)] for place in places}
        for place in places:
            yield from ({**self._choice, place: way} for way in ways[place])
        if not refusal.columns:
            return
        for size in range(2, min(len(places), _TIED) + 1):
            for several in combinations(places, size):
                for picked in product(*(ways[place][:_OF_SEVERAL] for place in several)):
                    yield {**self._choice, **dict(zip(several, picked, strict=True))}

    def _places(self, refusal: Refusal) -> list[str | Link]:
        names = refusal.columns or tuple(self.forms)
        links = [link for link in self.facts.links if set(link.columns) & set(refusal.columns)]
        return [*links, *(name for name in names if name in self.forms)]

    def _others(self, place: str | Link, refusal: Refusal, wish: Wish) -> Iterator[int]:
        present = self._choice.get(place, 0)
        if isinstance(place, Link):
            count = len(self.parents(place, wish)) + 1
        else:
            count = len(self.forms[place])
        for way in range(count):
            if way != present and (not refusal.is_unique or self._may_differ(place, way)):
                yield way

    def _without_defaults(self) -> Choice:
        """Python computes some, and may need for it what only a request has."""
        computed = [column.name for column in self.table.columns if column.default is not None]
        ways = {name: self.forms[name] for name in computed if len(self.forms.get(name, ())) > 1}
        return {**self._choice, **dict.fromkeys(ways, 1)}

    def _may_differ(self, place: str | Link, way: int) -> bool:
        """Whether this way leads to other values than other rows have, as far as anything does."""
        if isinstance(place, Link):
            return True
        forms = self.forms[place]
        return forms[way].is_distinct or not any(form.is_distinct for form in forms)

    def _tried(self, connection: Connection, wish: Wish, choice: Choice) -> Row | Refusal:
        values = self._values(wish, choice, self._number)
        if isinstance(values, Refusal):
            return values
        taken = self._inserted(connection, [values])
        return taken if isinstance(taken, Refusal) else taken[0]

    def _inserted(
        self, connection: Connection, rows: Sequence[Mapping[str, Value]]
    ) -> Sequence[Row] | Refusal:
        given = [
            {
                name: expression(value, self.facts.columns[name].type_name)
                for name, value in row.items()
                if value is not DEFAULT
            }
            for row in rows
        ]
        returned = [cast(column, Text()).label(column.name) for column in self.table.columns]
        statement = insert(self.table).returning(*returned)
        try:
            with connection.begin_nested():
                if len(given) == 1 and not given[0]:
                    done = connection.execute(statement, {})
                else:
                    done = connection.execute(statement.values(given))
                return [dict(row) for row in done.mappings()]
        except StatementError as error:
            return refusal_of(error, self.facts)

    def _values(self, wish: Wish, choice: Choice, number: int) -> dict[str, Value] | Refusal:
        values: dict[str, Value] = {}
        for link in sorted(
            self.facts.links, key=lambda link: (link is not wish.first_of, link.is_nullable)
        ):
            target = self._target(link, wish, choice, values, number)
            if isinstance(target, Refusal):
                return target
            values |= target
        for name, forms in self.forms.items():
            if name not in values and forms:
                values[name] = forms[choice.get(name, 0)].make(number)
        return values | dict(wish.fixed)

    def _target(
        self, link: Link, wish: Wish, choice: Choice, known: Mapping[str, Value], number: int
    ) -> dict[str, Value] | Refusal:
        """What a foreign key holds; several may share a column, and must agree on it."""
        is_own = link.parent == self.facts.key
        rows = [] if is_own and wish.is_root else self.parents(link, wish)
        shift = choice.get(link, 0)
        start = 0 if wish.first_of is link else wish.index + (wish.first_of is not None) + shift
        is_wanted = shift < max(len(rows), 1) or not link.is_nullable
        for step in range(len(rows) if is_wanted else 0):
            row = rows[(start + step) % len(rows)]
            target: dict[str, Value] = dict(
                zip(link.columns, (row[name] for name in link.parent_columns), strict=True)
            )
            if all(known.get(name, value) == value for name, value in target.items()):
                return target
        if link.is_nullable:
            empty = [name for name in link.columns if self.facts.columns[name].is_nullable]
            return {name: None for name in empty if name not in known}
        if is_own:
            return self._itself(link, number)
        words = f"no row of {'.'.join(link.parent)} to point at"
        return Refusal(f"parent {link.parent}", (), words)

    def _itself(self, link: Link, number: int) -> dict[str, Value]:
        """A row that has to have a parent in its own table, and is the first one there."""
        target: dict[str, Value] = {}
        for name, parent_name in zip(link.columns, link.parent_columns, strict=True):
            made = (form.make(number) for form in self.forms[parent_name])
            target[name] = target[parent_name] = next(item for item in made if item is not DEFAULT)
        return target


def _are_alike(rows: Sequence[Mapping[str, Value]]) -> bool:
    """Whether one statement can write them: all leave the same columns to their defaults."""
    given = [{name for name, value in row.items() if value is not DEFAULT} for row in rows]
    return bool(given[0]) and all(names == given[0] for names in given)
