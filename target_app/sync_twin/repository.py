"""The queries about todos, blocking: `target_app.todos.repository` without its awaits."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import Depends
from sqlalchemy.orm import Session

from target_app.db import BlockingSession
from target_app.errors import NotFoundError
from target_app.models import Todo
from target_app.todos import statements
from target_app.todos.schemas import TodoFilter


class BlockingTodoRepository:
    """Todos through one session; it flushes and never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, todo: Todo) -> Todo:
        """Insert the todo and return it with its id and server defaults.

        Raises:
            sqlalchemy.exc.IntegrityError: The owner does not exist.
        """
        self._session.add(todo)
        self._session.flush()
        return todo

    def listing(self, wanted: TodoFilter) -> Sequence[Todo]:
        """Return one page of the todos that the filter lets through."""
        todos = self._session.scalars(statements.listing(wanted))
        return todos.all()

    def get(self, todo_id: int) -> Todo:
        """Return one todo.

        Raises:
            NotFoundError: There is no such todo.
        """
        todo = self._session.get(Todo, todo_id)
        if todo is None:
            raise NotFoundError(Todo.__tablename__, todo_id)
        return todo

    def change(self, todo_id: int, values: Mapping[str, object]) -> Todo:
        """Set these values of one todo, in one statement.

        Raises:
            NotFoundError: There is no such todo.
        """
        todo = self._session.scalar(statements.change(todo_id, values))
        if todo is None:
            raise NotFoundError(Todo.__tablename__, todo_id)
        return todo

    def complete(self, owner_id: int) -> int:
        """Mark all open todos of this owner as done; return how many there were."""
        result = self._session.execute(statements.completion(owner_id))
        return statements.rows_changed(result)

    def delete(self, todo_id: int) -> None:
        """Delete one todo, in one statement.

        Raises:
            NotFoundError: There is no such todo.
        """
        if self._session.scalar(statements.removal(todo_id)) is None:
            raise NotFoundError(Todo.__tablename__, todo_id)


async def get_blocking_todos(session: BlockingSession) -> BlockingTodoRepository:
    """Return the todos of this request's blocking session; tests override this dependency.

    `async def`, because making the object blocks nothing and so needs no thread.
    """
    return BlockingTodoRepository(session)


BlockingTodos = Annotated[BlockingTodoRepository, Depends(get_blocking_todos)]
"""The todos, as `def` endpoints ask for them."""
