"""The HTTP endpoints of todos in `def`: `target_app.todos.router` without `async` and `await`.

Lies beside it so that the two can be compared line by line; models and statements are the same.
"""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, status

from target_app.errors import problems
from target_app.models import Todo
from target_app.parameters import PathId
from target_app.sync_twin.repository import BlockingTodos
from target_app.todos.schemas import (
    Completed,
    Completion,
    TodoChanges,
    TodoCreate,
    TodoFilter,
    TodoRead,
)

router = APIRouter(prefix="/todos")


@router.post(
    "",
    response_model=TodoRead,
    status_code=status.HTTP_201_CREATED,
    responses=problems(400, 409),
)
def create_todo(new: TodoCreate, todos: BlockingTodos) -> Todo:
    """Create a todo; an owner who does not exist is a 409, the foreign key's own answer."""
    return todos.add(Todo(**new.model_dump()))


@router.get("", response_model=list[TodoRead])
def list_todos(wanted: Annotated[TodoFilter, Query()], todos: BlockingTodos) -> Sequence[Todo]:
    """List todos by id, all or those of an owner, the open or the done ones."""
    return todos.listing(wanted)


@router.post("/complete", responses=problems(400))
def complete_todos(whose: Completion, todos: BlockingTodos) -> Completed:
    """Mark all open todos of an owner as done."""
    return Completed(completed=todos.complete(whose.owner_id))


@router.get("/{todo_id}", response_model=TodoRead, responses=problems(404))
def read_todo(todo_id: PathId, todos: BlockingTodos) -> Todo:
    """Return one todo."""
    return todos.get(todo_id)


@router.patch("/{todo_id}", response_model=TodoRead, responses=problems(400, 404))
def change_todo(todo_id: PathId, changes: TodoChanges, todos: BlockingTodos) -> Todo:
    """Change what is sent of a todo."""
    return todos.change(todo_id, changes.model_dump(exclude_unset=True))


@router.delete(
    "/{todo_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404),
)
def delete_todo(todo_id: PathId, todos: BlockingTodos) -> None:
    """Delete a todo."""
    todos.delete(todo_id)
