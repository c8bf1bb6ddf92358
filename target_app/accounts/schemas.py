"""What clients send and receive about accounts and transfers; all money is in cents."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from target_app.parameters import RowId

LARGEST_BALANCE_CENTS = 2**53 - 1
"""The largest whole number that every reader of JSON keeps exactly; the column, a `bigint`, holds
a thousand times that, so that no balance plus an amount leaves its range."""

AmountCents = Annotated[int, Field(ge=1, le=LARGEST_BALANCE_CENTS)]


class AccountCreate(BaseModel):
    """A new account, with the money that is paid in at its opening."""

    owner_id: RowId
    opening_balance_cents: int = Field(default=0, ge=0, le=LARGEST_BALANCE_CENTS)


class AccountRead(BaseModel):
    """An account."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    owner_id: int
    balance_cents: int
    created_at: datetime


class TransferCreate(BaseModel):
    """Money that is to go from one account to another."""

    source_id: RowId
    target_id: RowId
    amount_cents: AmountCents

    @model_validator(mode="after")
    def _goes_to_another_account(self) -> Self:
        if self.source_id == self.target_id:
            raise ValueError("source and target are the same account")
        return self


class TransferRead(BaseModel):
    """A transfer that has happened."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    source_id: int
    target_id: int
    amount_cents: int
    created_at: datetime
