"""Passwords: kept as hashes, told to nobody, and hashed where it stops nothing else."""

import logging
import threading
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
import pytest_asyncio
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import SecretStr
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncSession

from fixtures.people import LOCKED, MakeUser
from target_app.models import User
from target_app.users.passwords import Passwords, get_passwords
from target_app.users.repository import UserRepository
from target_app.users.schemas import UserCreate
from tests.target_app.in_process import Running, running

SECRET = "correct horse battery"
ADA = {"email": "ada@example.org", "name": "Ada", "password": SECRET}

# As cheap as argon2 goes, for tests that hash often or ask for outdated parameters.
WEAK = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)


async def _sign_up(client: httpx.AsyncClient) -> Mapping[str, object]:
    answer = await client.post("/users", json=ADA)
    assert answer.status_code == 201, answer.text
    created: Mapping[str, object] = answer.json()
    return created


async def _authenticate(client: httpx.AsyncClient, email: str, password: str) -> httpx.Response:
    return await client.post("/users/authenticate", json={"email": email, "password": password})


async def test_a_password_is_stored_as_an_argon2_hash(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    ada = await _sign_up(client)

    stored = await db_session.get_one(User, ada["id"])
    assert stored.password_hash.startswith("$argon2id$")
    assert PasswordHash.recommended().verify(SECRET, stored.password_hash)


async def test_no_answer_has_the_password_or_its_hash(
    client: httpx.AsyncClient, make_user: MakeUser
) -> None:
    taken = (await make_user()).email
    answers = [
        await client.post("/users", json=ADA),
        await client.post("/users", json=ADA),
        await client.post("/users", json={"password": SECRET}),
        await client.patch("/users/2147483647", json={"password": SECRET}),
        await _authenticate(client, "ada@example.org", SECRET),
        await _authenticate(client, taken, SECRET),
        await client.get("/users?limit=100"),
    ]

    assert [answer.status_code for answer in answers] == [201, 409, 422, 404, 200, 401, 200]
    assert not [answer for answer in answers if SECRET in answer.text or "argon2" in answer.text]


async def test_no_log_has_the_password_even_where_statements_are_logged(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.DEBUG),
        caplog.at_level(logging.DEBUG, logger="sqlalchemy"),
        caplog.at_level(logging.DEBUG, logger="target_app"),
    ):
        await _sign_up(client)
        await client.post("/users", json=ADA)
        await _authenticate(client, "ada@example.org", SECRET)

    assert "INSERT INTO users" in caplog.text
    assert SECRET not in caplog.text


def test_the_representation_of_a_request_hides_the_password() -> None:
    assert SECRET not in repr(UserCreate.model_validate(ADA))


async def test_the_right_password_answers_the_user(client: httpx.AsyncClient) -> None:
    ada = await _sign_up(client)

    answer = await _authenticate(client, "ada@example.org", SECRET)

    assert (answer.status_code, answer.json()) == (200, ada)


async def test_wrong_password_unknown_email_and_locked_user_get_the_same_401(
    client: httpx.AsyncClient, make_user: MakeUser
) -> None:
    await _sign_up(client)
    locked = await make_user(name="Locked")

    answers = [
        await _authenticate(client, "ada@example.org", "not the password"),
        await _authenticate(client, "nobody@example.org", SECRET),
        await _authenticate(client, locked.email, LOCKED),
    ]

    assert [answer.status_code for answer in answers] == [401] * 3
    assert len({answer.text for answer in answers}) == 1


async def test_signing_in_renews_a_hash_with_outdated_parameters(
    client: httpx.AsyncClient, db_session: AsyncSession
) -> None:
    ada = User(email="ada@example.org", name="Ada", password_hash=WEAK.hash(SECRET))
    db_session.add(ada)
    await db_session.commit()
    outdated = ada.password_hash

    wrong = await _authenticate(client, "ada@example.org", "not the password")
    await db_session.refresh(ada)
    after_wrong = ada.password_hash
    right = await _authenticate(client, "ada@example.org", SECRET)
    await db_session.refresh(ada)

    assert (wrong.status_code, right.status_code) == (401, 200)
    assert after_wrong == outdated
    assert not Argon2Hasher().check_needs_rehash(ada.password_hash)
    assert PasswordHash.recommended().verify(SECRET, ada.password_hash)


async def test_a_renewed_hash_does_not_bring_an_old_password_back(
    client: httpx.AsyncClient, db_session: AsyncSession, make_user: MakeUser
) -> None:
    ada = await make_user()
    changed = await client.patch(f"/users/{ada.id}", json={"password": SECRET})

    await UserRepository(db_session).replace_hash(ada, "renewed hash of the old password")
    await db_session.commit()

    assert changed.status_code == 200
    assert (await _authenticate(client, ada.email, SECRET)).status_code == 200


async def test_a_new_password_replaces_the_old_one(client: httpx.AsyncClient) -> None:
    ada = await _sign_up(client)

    answer = await client.patch(f"/users/{ada['id']}", json={"password": "another secret"})

    assert (answer.status_code, answer.json()) == (200, ada)
    assert (await _authenticate(client, "ada@example.org", SECRET)).status_code == 401
    assert (await _authenticate(client, "ada@example.org", "another secret")).status_code == 200


class _Watching(Argon2Hasher):
    """Notes where each hash was made or verified, and what the application held meanwhile."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.app: Running | None = None
        self.threads: list[int] = []
        self.connections_out: list[int] = []

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self._note()
        return super().hash(password, salt=salt)

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002 - pwdlib's name
        self._note()
        return super().verify(password, hash)

    def _note(self) -> None:
        self.threads.append(threading.get_ident())
        if self.app is not None:
            self.connections_out.append(self.app.connections_out)


@pytest.fixture
def watching() -> _Watching:
    return _Watching()


@pytest_asyncio.fixture
async def watched(real_url: URL, watching: _Watching) -> AsyncIterator[Running]:
    """The application with the watching hasher, on a database of each kind."""
    passwords = Passwords(PasswordHash([watching]))
    async with running(real_url) as app:
        app.app.dependency_overrides[get_passwords] = lambda: passwords
        watching.app = app
        yield app


async def test_hashing_leaves_the_event_loop_and_the_pool_alone(
    watched: Running, watching: _Watching
) -> None:
    ada = await _sign_up(watched.client)
    changed = await watched.client.patch(f"/users/{ada['id']}", json={"password": "new secret"})
    right = await _authenticate(watched.client, "ada@example.org", "new secret")
    wrong = await _authenticate(watched.client, "nobody@example.org", "new secret")

    assert [answer.status_code for answer in (changed, right, wrong)] == [200, 200, 401]
    assert len(watching.threads) >= 4
    assert threading.get_ident() not in watching.threads
    assert set(watching.connections_out) == {0}


@pytest.mark.parametrize("stored", [None, LOCKED], ids=["unknown", "locked"])
async def test_a_user_who_cannot_sign_in_costs_as_many_verifications_as_a_wrong_password(
    watching: _Watching, stored: str | None
) -> None:
    passwords = Passwords(PasswordHash([watching]))
    wrong_password = await _verifications(passwords, watching, against=WEAK.hash(SECRET))

    nobody = await _verifications(passwords, watching, against=stored)

    assert nobody == wrong_password == 1


async def _verifications(passwords: Passwords, watching: _Watching, *, against: str | None) -> int:
    await passwords.verify(SecretStr("first"), against=None)  # makes the hash of nobody
    watching.threads.clear()
    verdict = await passwords.verify(SecretStr("not the password"), against=against)
    assert not verdict.is_right
    return len(watching.threads)
