"""Which paths are asked for, until one answers."""

from __future__ import annotations

import pytest

from harness.capture.recording import Recording
from harness.checks.growth import GrowthSample
from harness.scan.asking import Scanned, ask, ask_for_pages
from harness.scan.calls import Answer
from harness.scan.operations import Parameter, ScannedOperation
from harness.scan.row_values import RowValues
from tests.database.populate.conftest import Fill, fill

__all__ = ["fill"]

pytestmark = pytest.mark.database("empty")

_SCHEMA = "CREATE TABLE users (id integer PRIMARY KEY CHECK (id > 40), name text NOT NULL)"
_INTEGER = {"type": "integer"}


class Client:
    """Answers 404, unless a path is known."""

    def __init__(self, *known: str) -> None:
        self.known = known
        self.asked: list[str] = []

    def call(self, path: str, *, n: int) -> Answer:
        self.asked.append(path)
        status = 200 if path in self.known else 404
        return Answer(path, GrowthSample(n, Recording()), status, "" if status == 200 else "no")


@pytest.fixture
def one_user() -> Scanned:
    """An operation with a row's key, and a page."""
    limit = Parameter("limit", "query", is_required=False, shape=_INTEGER, documented=None)
    key = Parameter("user_id", "path", is_required=True, shape=_INTEGER, documented="7")
    return Scanned(ScannedOperation("/users/{user_id}", (key, limit)))


async def test_what_is_not_found_by_one_row_is_asked_for_by_another(
    fill: Fill, one_user: Scanned
) -> None:
    filling = await fill(_SCHEMA)
    values = RowValues(filling.population)
    client = Client("/users/7?limit=2")

    ask(one_user, client, values, 2)

    (key,) = await filling.column("SELECT min(id) FROM users")
    assert client.asked == [f"/users/{key}?limit=2", "/users/7?limit=2"]
    assert not one_user.is_given_up


async def test_what_has_answered_is_asked_again_with_a_larger_page(
    fill: Fill, one_user: Scanned
) -> None:
    values = RowValues((await fill(_SCHEMA)).population)
    client = Client("/users/7?limit=2", "/users/7?limit=10")

    ask(one_user, client, values, 2)
    ask(one_user, client, values, 10)

    assert [answer.path for answer in one_user.answers] == [
        "/users/7?limit=2",
        "/users/7?limit=10",
    ]


async def test_what_no_row_is_found_for_is_given_up(fill: Fill, one_user: Scanned) -> None:
    values = RowValues((await fill(_SCHEMA)).population)

    ask(one_user, Client(), values, 2)

    assert one_user.is_given_up
    assert len(one_user.answers) == 1


def paged(*, is_given_up: bool = False) -> Scanned:
    limit = Parameter("limit", "query", is_required=False, shape=_INTEGER, documented=None)
    offset = Parameter("offset", "query", is_required=False, shape=_INTEGER, documented=None)
    answer = Answer("/users", GrowthSample(10, Recording()), 200, "no" if is_given_up else "")
    return Scanned(ScannedOperation("/users", (limit, offset)), answers=[answer])


def test_two_pages_of_half_the_size_are_asked_for() -> None:
    client, item = Client(), paged()

    ask_for_pages(item, client, 10)

    assert client.asked == ["/users?limit=5", "/users?limit=5&offset=5"]
    assert [answer.sample.n for answer in item.pages] == [5, 10]


def test_what_has_no_pages_or_no_answer_is_not_asked_for_any(one_user: Scanned) -> None:
    client = Client()

    ask_for_pages(one_user, client, 10)
    ask_for_pages(paged(is_given_up=True), client, 10)

    assert client.asked == []
