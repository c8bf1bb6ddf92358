"""The HTTP endpoints of accounts and transfers."""

from collections.abc import Sequence

from fastapi import APIRouter, status

from target_app.accounts.repository import Accounts
from target_app.accounts.schemas import AccountCreate, AccountRead, TransferCreate, TransferRead
from target_app.accounts.service import BankingService
from target_app.errors import problems
from target_app.models import Account, Transfer
from target_app.parameters import Page, PathId

router = APIRouter(tags=["accounts"])


@router.post(
    "/accounts",
    response_model=AccountRead,
    status_code=status.HTTP_201_CREATED,
    responses=problems(400, 404, 409),
)
async def open_account(new: AccountCreate, banking: BankingService) -> Account:
    """Open an account."""
    return await banking.open_account(new)


@router.get("/accounts", response_model=list[AccountRead])
async def list_accounts(page: Page, accounts: Accounts) -> Sequence[Account]:
    """List accounts by id."""
    return await accounts.rows.page(page)


@router.get("/accounts/{account_id}", response_model=AccountRead, responses=problems(404))
async def read_account(account_id: PathId, accounts: Accounts) -> Account:
    """Return one account."""
    return await accounts.rows.get(account_id)


@router.post(
    "/transfers",
    response_model=TransferRead,
    status_code=status.HTTP_201_CREATED,
    responses=problems(400, 404),
)
async def transfer(new: TransferCreate, banking: BankingService) -> Transfer:
    """Move money from one account to another."""
    return await banking.transfer(new)


@router.get("/transfers", response_model=list[TransferRead])
async def list_transfers(page: Page, accounts: Accounts) -> Sequence[Transfer]:
    """List transfers by id."""
    return await accounts.transfers.page(page)
