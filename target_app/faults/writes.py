"""Writes in a loop: one round trip for each row that is inserted or changed.

They change data, so they are POST endpoints and no scan requests them by itself.
"""

from collections.abc import Sequence

from fastapi import APIRouter, status
from sqlalchemy import insert, update

from target_app.db import Session
from target_app.errors import problems
from target_app.faults.catalogue import Fault
from target_app.faults.schemas import DoneTodos, NewTodos, Written
from target_app.models import Todo

router = APIRouter()

_FAMILY = "writes"
INSERTS = Fault(
    family=_FAMILY,
    name="inserts",
    method="POST",
    cause="adds rows one by one, with a `flush` after each",
    symptom="an import that takes minutes, with the database idle in between",
    fixed=0,
    of_twin=1,
    kind="flush-in-loop",
    fix="`session.execute(insert(Todo), rows)`, or one flush after the loop",
)


@router.post(INSERTS.path, status_code=status.HTTP_201_CREATED, responses=problems(400, 409))
async def todos_inserted_one_by_one(session: Session, new: NewTodos) -> Written:
    """A flush for each row."""
    return Written(rows=await _insert_one_by_one(session, new))


async def _insert_one_by_one(session: Session, new: NewTodos) -> int:
    for title in new.titles:
        session.add(Todo(owner_id=new.owner_id, title=title))
        await session.flush()
    return len(new.titles)


@router.post(INSERTS.twin_path, status_code=status.HTTP_201_CREATED, responses=problems(400, 409))
async def todos_inserted_at_once(session: Session, new: NewTodos) -> Written:
    """The twin of `todos_inserted_one_by_one`."""
    rows = [{"owner_id": new.owner_id, "title": title} for title in new.titles]
    await session.execute(insert(Todo), rows)
    return Written(rows=len(rows))


UPDATES = Fault(
    family=_FAMILY,
    name="updates",
    method="POST",
    cause="executes an UPDATE by primary key in a loop",
    symptom="slow, and every row stays locked until the last one is done",
    fixed=0,
    of_twin=1,
    kind="write-loop",
    fix="one `update(Todo).where(Todo.id.in_(…))`",
)


@router.post(UPDATES.path)
async def todos_updated_one_by_one(session: Session, done: DoneTodos) -> Written:
    """An UPDATE for each row."""
    return Written(rows=await _update_one_by_one(session, sorted(done.todo_ids)))


async def _update_one_by_one(session: Session, todo_ids: Sequence[int]) -> int:
    rows = 0
    for todo_id in todo_ids:
        one = update(Todo).where(Todo.id == todo_id).values(done=True).returning(Todo.id)
        rows += len((await session.scalars(one)).all())
    return rows


@router.post(UPDATES.twin_path)
async def todos_updated_at_once(session: Session, done: DoneTodos) -> Written:
    """The twin of `todos_updated_one_by_one`."""
    all_of_them = Todo.id.in_(done.todo_ids)
    changed = await session.scalars(
        update(Todo).where(all_of_them).values(done=True).returning(Todo.id)
    )
    return Written(rows=len(changed.all()))


FAULTS = (INSERTS, UPDATES)
