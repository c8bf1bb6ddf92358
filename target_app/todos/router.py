"""The HTTP endpoints of todos; `target_app.sync_twin.todos` is the same without `async`."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, status

from target_app.errors import problems
from target_app.models import Todo
from target_app.parameters import PathId
from target_app.todos.repository import Todos
from target_app.todos.schemas import (
    Completed,
    Completion,
    TodoChanges,
    TodoCreate,
    TodoFilter,
    TodoRead,
)

router = APIRouter(prefix="/todos", tags=["todos"])


@router.post(
    "",
    response_model=TodoRead,
    status_code=status.HTTP_201_CREATED,
    responses=problems(400, 409),
)
async def create_todo(new: TodoCreate, todos: Todos) -> Todo:
    """Create a todo; an owner who does not exist is a 409, the foreign key's own answer."""
    return await todos.add(Todo(**new.model_dump()))


@router.get("", response_model=list[TodoRead])
async def list_todos(wanted: Annotated[TodoFilter, Query()], todos: Todos) -> Sequence[Todo]:
    """List todos by id, all or those of an owner, the open or the done ones."""
    return await todos.listing(wanted)


@router.post("/complete", responses=problems(400))
async def complete_todos(whose: Completion, todos: Todos) -> Completed:
    """Mark all open todos of an owner as done."""
    return Completed(completed=await todos.complete(whose.owner_id))


@router.get("/{todo_id}", response_model=TodoRead, responses=problems(404))
async def read_todo(todo_id: PathId, todos: Todos) -> Todo:
    """Return one todo."""
    return await todos.get(todo_id)


@router.patch("/{todo_id}", response_model=TodoRead, responses=problems(400, 404))
async def change_todo(todo_id: PathId, changes: TodoChanges, todos: Todos) -> Todo:
    """Change what is sent of a todo."""
    return await todos.change(todo_id, changes.model_dump(exclude_unset=True))


@router.delete(
    "/{todo_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404),
)
async def delete_todo(todo_id: PathId, todos: Todos) -> None:
    """Delete a todo."""
    await todos.delete(todo_id)
