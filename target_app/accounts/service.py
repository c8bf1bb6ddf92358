"""The rules of money: it has an owner, nobody spends what he does not have, none gets lost.

A module of its own because these rules need no HTTP, and because the order of the steps in a
transfer (lock, check, change) is what makes it right.
"""

from typing import Annotated

from fastapi import Depends

from target_app.accounts.repository import Accounts
from target_app.accounts.schemas import LARGEST_BALANCE_CENTS, AccountCreate, TransferCreate
from target_app.errors import RuleError
from target_app.models import Account, Transfer


class Banking:
    """Opens accounts and moves money between them."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def open_account(self, new: AccountCreate) -> Account:
        """Open an account.

        Raises:
            NotFoundError: The owner does not exist.
        """
        owner = await self._accounts.owners.get(new.owner_id)
        return await self._accounts.rows.add(
            Account(owner_id=owner.id, balance_cents=new.opening_balance_cents)
        )

    async def transfer(self, new: TransferCreate) -> Transfer:
        """Move money; the transaction of the request makes it all or nothing.

        Raises:
            NotFoundError: One of the accounts does not exist.
            RuleError: The source has too little money, or the target would have too much.
        """
        source, target = await self._accounts.locked_pair(new.source_id, new.target_id)
        if source.balance_cents < new.amount_cents:
            raise RuleError(f"account {source.id} has not enough money for this transfer")
        if target.balance_cents + new.amount_cents > LARGEST_BALANCE_CENTS:
            raise RuleError(f"account {target.id} cannot hold so much money")
        source.balance_cents -= new.amount_cents
        target.balance_cents += new.amount_cents
        return await self._accounts.transfers.add(Transfer(**new.model_dump()))


async def get_banking(accounts: Accounts) -> Banking:
    """Return the banking of this request."""
    return Banking(accounts)


BankingService = Annotated[Banking, Depends(get_banking)]
"""The service, as endpoints ask for it."""
