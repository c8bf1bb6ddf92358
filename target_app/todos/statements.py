"""The SQL about todos, as values: nothing here runs a statement.

A module of its own because a statement does not know who runs it: the async repository next to it
and the blocking one of `target_app.sync_twin` share all of these, and differ in `await` only.
"""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import CursorResult, Result, Select, Update, delete, select, update
from sqlalchemy.sql.dml import ReturningDelete
from sqlalchemy.sql.selectable import TypedReturnsRows

from target_app.models import Todo
from target_app.repository import one_page
from target_app.todos.schemas import TodoFilter


def listing(wanted: TodoFilter) -> Select[Todo]:
    """One page of the todos that the filter lets through, by id."""
    statement = select(Todo).order_by(Todo.id)
    if wanted.owner_id is not None:
        statement = statement.where(Todo.owner_id == wanted.owner_id)
    if wanted.done is not None:
        statement = statement.where(Todo.done.is_(wanted.done))
    return one_page(statement, wanted)


def change(todo_id: int, values: Mapping[str, object]) -> TypedReturnsRows[Todo]:
    """Set these values and return the todo, or no row where there is none.

    `RETURNING` brings back what the database computed, `updated_at`. Set on an object instead, it
    would be unknown after the flush, and reading it a lazy load, which an AsyncSession refuses.
    """
    if not values:
        return select(Todo).where(Todo.id == todo_id)
    return update(Todo).where(Todo.id == todo_id).values(**values).returning(Todo)


def completion(owner_id: int) -> Update:
    """Mark every open todo of this owner as done, however many, without loading one.

    Those that are done already are left alone, so that they keep their `updated_at`.
    """
    return update(Todo).where(Todo.owner_id == owner_id, Todo.done.is_(False)).values(done=True)


def removal(todo_id: int) -> ReturningDelete[int]:
    """Delete the todo and return its id, or no row where there is none."""
    return delete(Todo).where(Todo.id == todo_id).returning(Todo.id)


def rows_changed(result: Result[Any]) -> int:
    """Return how many rows an `UPDATE` has changed."""
    # `Session.execute` promises a `Result` for every statement; of an UPDATE it is this kind.
    return cast("CursorResult[Any]", result).rowcount
