"""The HTTP endpoints of users."""

from collections.abc import Sequence

from fastapi import APIRouter, status

from target_app.errors import problems
from target_app.models import User
from target_app.parameters import Page, PathId
from target_app.users.repository import Users
from target_app.users.schemas import Credentials, UserChanges, UserCreate, UserRead
from target_app.users.service import RegistrationService, SignInService

router = APIRouter(prefix="/users", tags=["users"])


@router.post(
    "",
    response_model=UserRead,
    status_code=status.HTTP_201_CREATED,
    responses=problems(400, 409),
)
async def create_user(new: UserCreate, registration: RegistrationService) -> User:
    """Create a user; an e-mail address that is taken is a 409."""
    return await registration.sign_up(new)


@router.get("", response_model=list[UserRead])
async def list_users(page: Page, users: Users) -> Sequence[User]:
    """List users by id."""
    return await users.rows.page(page)


@router.post("/authenticate", response_model=UserRead, responses=problems(400, 401))
async def authenticate_user(credentials: Credentials, sign_in: SignInService) -> User:
    """Return the user whose e-mail address and password these are."""
    return await sign_in.authenticate(credentials)


@router.get("/{user_id}", response_model=UserRead, responses=problems(404))
async def read_user(user_id: PathId, users: Users) -> User:
    """Return one user."""
    return await users.get(user_id)


@router.patch(
    "/{user_id}",
    response_model=UserRead,
    responses=problems(400, 404, 409),
)
async def change_user(
    user_id: PathId, changes: UserChanges, registration: RegistrationService
) -> User:
    """Change what is sent of a user; an e-mail address that is taken is a 409."""
    return await registration.change(user_id, changes)


@router.delete(
    "/{user_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404, 409),
)
async def delete_user(user_id: PathId, users: Users) -> None:
    """Delete a user with all todos; one with posts, comments, accounts or orders is a 409."""
    await users.delete(user_id)
