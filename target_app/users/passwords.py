"""Hashing of passwords with argon2, in threads.

A module of its own because hashing is work for a processor, by design: 0.1 s and 64 MiB for each
hash, as measured. On the event loop it would stop every other request for that time, so it runs in
threads; and no more of it at once than there are processors, or a rush of sign-ups would take
gigabytes and all the threads that `def` endpoints run in.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from fastapi import Depends
from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pydantic import SecretStr

Result = TypeVar("Result")

# One limiter per event loop, made at its first use, as anyio keeps the one of its thread pool.
_limiter_of_loop: RunVar[CapacityLimiter] = RunVar("target_app.users.passwords")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password is right, and its new hash where the stored one is outdated."""

    is_right: bool
    renewed_hash: str | None = None


class Passwords:
    """Hashes and verifies passwords without stopping the event loop."""

    def __init__(self, hashing: PasswordHash) -> None:
        self._hashing = hashing

    async def hash(self, password: SecretStr) -> str:
        """Return the hash to store: parameters and salt are part of it."""
        return await _in_thread(lambda: self._hashing.hash(password.get_secret_value()))

    async def verify(self, password: SecretStr, *, against: str | None) -> Verdict:
        """Compare with a stored hash; `None`, for a user who does not exist, takes as long."""
        return await _in_thread(lambda: self._verify(password.get_secret_value(), against))

    @cached_property
    def _hash_of_nobody(self) -> str:
        return self._hashing.hash(secrets.token_urlsafe())

    def _verify(self, password: str, stored: str | None) -> Verdict:
        nobody = self._hash_of_nobody  # for real users too, so that its making shows for neither
        try:
            is_right, renewed = self._hashing.verify_and_update(password, stored or nobody)
        except UnknownHashError:
            # Something else than a hash is stored: a locked user. Takes as long as any other.
            self._hashing.verify(password, nobody)
            return Verdict(is_right=False)
        return Verdict(is_right and stored is not None, renewed)


async def _in_thread(work: Callable[[], Result]) -> Result:
    limiter = _limiter_of_loop.get(None)
    if limiter is None:
        limiter = CapacityLimiter(os.cpu_count() or 1)
        _limiter_of_loop.set(limiter)
    return await to_thread.run_sync(work, limiter=limiter)


@lru_cache(maxsize=1)
def _recommended() -> Passwords:
    return Passwords(PasswordHash.recommended())


async def get_passwords() -> Passwords:
    """Return the hashing that pwdlib recommends at present; tests override this dependency."""
    return _recommended()


PasswordsOfApp = Annotated[Passwords, Depends(get_passwords)]
"""The hashing of passwords, as services ask for it."""
