"""The queries about users."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.db import Session
from target_app.models import User
from target_app.repository import Repository


class UserRepository:
    """Users through one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self.rows = Repository(session, User)

    async def get(self, user_id: int) -> User:
        """Return one user, which is all that most other domains want to know.

        Raises:
            NotFoundError: There is no such user.
        """
        return await self.rows.get(user_id)

    async def by_email(self, email: str) -> User | None:
        """Return the user with this address, if there is one."""
        return await self._session.scalar(select(User).where(User.email == email))

    async def replace_hash(self, user: User, renewed_hash: str) -> None:
        """Store a new hash of the same password, unless the password was changed meanwhile."""
        await self._session.execute(
            update(User)
            .where(User.id == user.id, User.password_hash == user.password_hash)
            .values(password_hash=renewed_hash)
        )

    async def delete(self, user_id: int) -> None:
        """Delete one user, and by `ON DELETE CASCADE` the user's todos.

        Raises:
            NotFoundError: There is no such user.
            sqlalchemy.exc.IntegrityError: Posts, comments, accounts or orders refer to the user.
        """
        await self.rows.delete(user_id)


async def get_users(session: Session) -> UserRepository:
    """Return the users of this request's session; tests override this dependency.

    `async def` although nothing is awaited: a class or a `def` as a dependency is called in the
    thread pool, and would wait there while `def` endpoints hold all the threads.
    """
    return UserRepository(session)


Users = Annotated[UserRepository, Depends(get_users)]
"""The users, as endpoints and services ask for them."""
