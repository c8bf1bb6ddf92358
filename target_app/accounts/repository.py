"""The queries about accounts and transfers, the one that locks among them."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy import select

from target_app.db import Session
from target_app.errors import NotFoundError
from target_app.models import Account, Transfer, User
from target_app.repository import Repository


class AccountRepository:
    """Accounts, their owners and transfers through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.rows = Repository(session, Account)
        self.owners = Repository(session, User)
        self.transfers = Repository(session, Transfer)

    async def locked_pair(self, first_id: int, second_id: int) -> tuple[Account, Account]:
        """Return two accounts that nobody else can change until this transaction ends.

        Locked in the order of their ids, whatever the order asked for: two transfers between the
        same accounts in opposite directions would otherwise each hold one and wait for the other.
        SQLite has no row locks; there the whole transaction holds the write lock already.

        Raises:
            NotFoundError: One of the accounts does not exist.
        """
        locked = await self._session.scalars(
            select(Account)
            .where(Account.id.in_((first_id, second_id)))
            .order_by(Account.id)
            .with_for_update()
            # A balance that was read before the wait for the lock is an old one.
            .execution_options(populate_existing=True)
        )
        accounts = {account.id: account for account in locked}
        for account_id in (first_id, second_id):
            if account_id not in accounts:
                raise NotFoundError(Account.__tablename__, account_id)
        return accounts[first_id], accounts[second_id]


async def get_accounts(session: Session) -> AccountRepository:
    """Return the accounts of this request's session; tests override this dependency."""
    return AccountRepository(session)


Accounts = Annotated[AccountRepository, Depends(get_accounts)]
"""The accounts, as endpoints and services ask for them; tests override `get_accounts`."""
