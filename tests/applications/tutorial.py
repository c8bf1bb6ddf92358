"""What tutorials of the first years show: `sessionmaker` with a class, and a start-up event."""

import os
from collections.abc import AsyncIterator

from fastapi import Depends, FastAPI
from sqlalchemy import Column, String, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import declarative_base, sessionmaker

engine = create_async_engine(os.environ["APPLICATION_DATABASE_URL"], future=True)
async_session = sessionmaker(  # type: ignore[call-overload]  # as tutorials write it
    engine, class_=AsyncSession, autoflush=False, expire_on_commit=False
)
Base = declarative_base()
app = FastAPI()


class Note(Base):  # type: ignore[misc, valid-type]  # declarative_base() has no static type
    """A note."""

    __tablename__ = "notes"
    text = Column(String, primary_key=True)


@app.on_event("startup")  # type: ignore[deprecated, unused-ignore]  # as tutorials write it
async def startup() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


async def get_db() -> AsyncIterator[AsyncSession]:
    async with async_session() as session:
        yield session
        await session.commit()


@app.get("/notes")
async def list_notes(db: AsyncSession = Depends(get_db)) -> list[str]:  # noqa: B008, FAST002 - as tutorials write it
    return list((await db.execute(select(Note.text))).scalars().all())


@app.post("/notes/{text}")
async def add_note(text: str, db: AsyncSession = Depends(get_db)) -> None:  # noqa: B008, FAST002 - as tutorials write it
    db.add(Note(text=text))
