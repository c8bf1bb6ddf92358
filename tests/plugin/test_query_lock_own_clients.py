"""The query lock where a suite has clients of its own, and never heard of ours."""

from __future__ import annotations

import json

from tests.plugin.conftest import Project

OWN_CLIENT = """
import httpx
import pytest
from shop.main import app

@pytest.fixture
async def own_client():
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client

async def test_counting(own_client):
    assert (await own_client.get("/authors")).json() == 5
"""
SKIPPED_BESIDE = (
    OWN_CLIENT
    + """
@pytest.mark.skip
async def test_books(own_client):
    await own_client.get("/books")
"""
)
SERVICE = """
import unittest
from sqlalchemy.orm import Session
from shop.database import Author
from sqlalchemy import create_engine, select

def author(session, number):
    return session.scalar(select(Author).where(Author.id == number))

def test_a_service(sync_db_session):
    for number in range(1, 6):
        author(sync_db_session, number)

class TestOldStyle(unittest.TestCase):
    def test_arithmetic(self):
        self.assertEqual(1 + 1, 2)
"""


def test_their_requests_fill_the_lock(local_project: Project) -> None:
    result = local_project.run(OWN_CLIENT, "--query-lock=create")

    result.assert_outcomes(passed=1)
    lock = json.loads(local_project.read("query-lock.json"))
    assert list(lock["dialects"]["sqlite"]) == ["GET /authors"]


def test_what_a_test_does_without_a_request_fails_no_gate(local_project: Project) -> None:
    tests = OWN_CLIENT + SERVICE

    result = local_project.run(tests, "--query-lock=create")

    result.assert_outcomes(passed=3)
    result.stdout.no_fnmatch_line("*harness: findings*")


def test_a_skipped_neighbour_of_requests_is_a_gap(local_project: Project) -> None:
    local_project.run(OWN_CLIENT, "--query-lock=create")

    result = local_project.run(SKIPPED_BESIDE, "--query-lock=tighten")

    result.stdout.fnmatch_lines(["*1 test that calls the application was skipped*"])


def test_a_skipped_test_of_another_module_is_none(local_project: Project) -> None:
    local_project.run(OWN_CLIENT, "--query-lock=create")
    local_project.write(
        "test_arithmetic.py", "import pytest\n\n@pytest.mark.skip\ndef test_sums():\n    ...\n"
    )

    result = local_project.run(OWN_CLIENT, "--query-lock=tighten")

    result.stdout.no_fnmatch_line("*nothing was tightened*")
    result.stdout.no_fnmatch_line("*skipped or failed as expected*")
