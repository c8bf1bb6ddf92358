"""The queries about users: those of every table are enough."""

from typing import Annotated

from fastapi import Depends

from target_app.db import Session
from target_app.models import User
from target_app.repository import Repository


def get_users(session: Session) -> Repository[User]:
    """Return the users of this request's session; tests override this dependency."""
    return Repository(session, User)


Users = Annotated[Repository[User], Depends(get_users)]
"""The users, as endpoints and services ask for them."""
