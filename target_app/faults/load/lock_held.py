"""A row lock that is kept while something slow runs: whoever needs the row stands in line.

It looks like a slow database: many statements are active, and all of them wait for one that is not.
"""

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.db import DatabaseOfApp, Session
from target_app.errors import NotFoundError, problems
from target_app.faults.catalogue import LoadFault
from target_app.faults.load.slow_service import SlowServiceOfApp
from target_app.faults.load.work import DEFAULT_MILLISECONDS, Milliseconds
from target_app.models import Account

router = APIRouter()

ROW = LoadFault(
    family="lock-held",
    name="row",
    cause="locks a row with `FOR UPDATE`, and calls a payment service before it commits",
    symptom="everything about this one account takes turns; its requests time out first",
    signal="lock waits, whose blocker is idle in transaction",
    fix="the call comes first; then lock, change, commit",
)


class Balance(BaseModel):
    """What is on the first account."""

    balance_cents: int


@router.get(ROW.path, responses=problems(404))
async def pay_with_the_account_locked(
    session: Session, service: SlowServiceOfApp, milliseconds: Milliseconds = DEFAULT_MILLISECONDS
) -> Balance:
    """A lock around an HTTP call.

    Where it was met: orders and subscriptions that are paid inside the transaction which locks
    them. It shows as statements that wait for a lock, held by a transaction that runs no SQL.
    """
    balance = await _locked_balance(session)
    await service.call(milliseconds)
    return balance


@router.get(ROW.twin_path, responses=problems(404))
async def pay_before_the_account_is_locked(
    database: DatabaseOfApp,
    service: SlowServiceOfApp,
    milliseconds: Milliseconds = DEFAULT_MILLISECONDS,
) -> Balance:
    """The twin of `pay_with_the_account_locked`."""
    await service.call(milliseconds)
    async with database.sessions.begin() as session:
        return await _locked_balance(session)


async def _locked_balance(session: AsyncSession) -> Balance:
    first = select(Account).order_by(Account.id).limit(1).with_for_update()
    account = await session.scalar(first)
    if account is None:
        raise NotFoundError(Account.__tablename__, 1)
    return Balance(balance_cents=account.balance_cents)


FAULTS = (ROW,)
