"""The HTTP endpoints of users."""

from collections.abc import Sequence

from fastapi import APIRouter, status

from target_app.models import User
from target_app.parameters import Page, PathId
from target_app.users.repository import Users
from target_app.users.schemas import UserCreate, UserRead

router = APIRouter(prefix="/users", tags=["users"])


@router.post("", response_model=UserRead, status_code=status.HTTP_201_CREATED)
async def create_user(new: UserCreate, users: Users) -> User:
    """Create a user; an e-mail address that is taken is a 409."""
    return await users.add(User(email=new.email, name=new.name))


@router.get("", response_model=list[UserRead])
async def list_users(page: Page, users: Users) -> Sequence[User]:
    """List users by id."""
    return await users.page(page)


@router.get("/{user_id}", response_model=UserRead)
async def read_user(user_id: PathId, users: Users) -> User:
    """Return one user."""
    return await users.get(user_id)
