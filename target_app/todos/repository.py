"""The queries about todos, awaited; `target_app.sync_twin.repository` is its twin."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.db import Session
from target_app.errors import NotFoundError
from target_app.models import Todo
from target_app.todos import statements
from target_app.todos.schemas import TodoFilter


class TodoRepository:
    """Todos through one session; it flushes and never commits.

    Does without the generic `Repository`, so that it and its twin compare line by line.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, todo: Todo) -> Todo:
        """Insert the todo and return it with its id and server defaults.

        Raises:
            sqlalchemy.exc.IntegrityError: The owner does not exist.
        """
        self._session.add(todo)
        await self._session.flush()
        return todo

    async def listing(self, wanted: TodoFilter) -> Sequence[Todo]:
        """Return one page of the todos that the filter lets through."""
        todos = await self._session.scalars(statements.listing(wanted))
        return todos.all()

    async def get(self, todo_id: int) -> Todo:
        """Return one todo.

        Raises:
            NotFoundError: There is no such todo.
        """
        todo = await self._session.get(Todo, todo_id)
        if todo is None:
            raise NotFoundError(Todo.__tablename__, todo_id)
        return todo

    async def change(self, todo_id: int, values: Mapping[str, object]) -> Todo:
        """Set these values of one todo, in one statement.

        Raises:
            NotFoundError: There is no such todo.
        """
        todo = await self._session.scalar(statements.change(todo_id, values))
        if todo is None:
            raise NotFoundError(Todo.__tablename__, todo_id)
        return todo

    async def complete(self, owner_id: int) -> int:
        """Mark all open todos of this owner as done; return how many there were."""
        result = await self._session.execute(statements.completion(owner_id))
        return statements.rows_changed(result)

    async def delete(self, todo_id: int) -> None:
        """Delete one todo, in one statement.

        Raises:
            NotFoundError: There is no such todo.
        """
        if await self._session.scalar(statements.removal(todo_id)) is None:
            raise NotFoundError(Todo.__tablename__, todo_id)


async def get_todos(session: Session) -> TodoRepository:
    """Return the todos of this request's session; tests override this dependency.

    `async def` although nothing is awaited: a class or a `def` as a dependency is called in the
    thread pool, and would wait there while `def` endpoints hold all the threads.
    """
    return TodoRepository(session)


Todos = Annotated[TodoRepository, Depends(get_todos)]
"""The todos, as endpoints ask for them."""
