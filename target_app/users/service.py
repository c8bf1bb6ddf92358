"""The rules about users: passwords are stored as hashes, and no connection waits for hashing.

A module of its own because the order of steps is the rule. A connection is taken by a session's
first statement and kept to its end; ten connections that each wait 0.1 s for a hash are a pool that
serves nobody else. So what hashes does it before the first statement, or between two sessions.
"""

from typing import Annotated, Any

from fastapi import Depends

from target_app.db import DatabaseOfApp
from target_app.errors import AuthenticationError
from target_app.models import User
from target_app.users.passwords import PasswordsOfApp
from target_app.users.repository import UserRepository, Users
from target_app.users.schemas import Credentials, UserChanges, UserCreate


class Registration:
    """Writes users, inside the unit of work of the request."""

    def __init__(self, users: Users, passwords: PasswordsOfApp) -> None:
        self._users = users
        self._passwords = passwords

    async def sign_up(self, new: UserCreate) -> User:
        """Create a user.

        Raises:
            sqlalchemy.exc.IntegrityError: The e-mail address is taken.
        """
        password_hash = await self._passwords.hash(new.password)
        user = User(email=new.email, name=new.name, password_hash=password_hash)
        return await self._users.rows.add(user)

    async def change(self, user_id: int, changes: UserChanges) -> User:
        """Set what was sent; a new password replaces the hash.

        Raises:
            NotFoundError: There is no such user.
            sqlalchemy.exc.IntegrityError: The e-mail address is taken.
        """
        values: dict[str, Any] = changes.model_dump(exclude_unset=True, exclude={"password"})
        if "password" in changes.model_fields_set:
            values["password_hash"] = await self._passwords.hash(changes.password)
        user = await self._users.get(user_id)
        return await self._users.rows.update(user, values)


class SignIn:
    """Verifies passwords, between two short sessions of its own.

    The hash must be read before it is verified, so the session of the request would hold its
    connection meanwhile, on SQLite even the lock of all writers.
    """

    def __init__(self, database: DatabaseOfApp, passwords: PasswordsOfApp) -> None:
        self._database = database
        self._passwords = passwords

    async def authenticate(self, credentials: Credentials) -> User:
        """Return the user whose address and password these are.

        An address that nobody has takes as long as a wrong password: the time of the answer would
        otherwise tell strangers who is registered.

        Raises:
            AuthenticationError: They are nobody's.
        """
        async with self._database.sessions() as session:
            user = await UserRepository(session).by_email(credentials.email)
        stored = user.password_hash if user else None
        verdict = await self._passwords.verify(credentials.password, against=stored)
        if user is None or not verdict.is_right:
            raise AuthenticationError
        if verdict.renewed_hash is not None:
            async with self._database.sessions.begin() as session:
                await UserRepository(session).replace_hash(user, verdict.renewed_hash)
        return user


async def get_registration(users: Users, passwords: PasswordsOfApp) -> Registration:
    """Return the service for this request."""
    return Registration(users, passwords)


async def get_sign_in(database: DatabaseOfApp, passwords: PasswordsOfApp) -> SignIn:
    """Return the service for this request."""
    return SignIn(database, passwords)


RegistrationService = Annotated[Registration, Depends(get_registration)]
"""Writes users, as endpoints ask for it."""

SignInService = Annotated[SignIn, Depends(get_sign_in)]
"""Verifies passwords, as endpoints ask for it."""
