"""Whether writes can be looked up, and what their keys are."""

from __future__ import annotations

import json

import pytest

from harness.campaign.ground import Ground
from harness.campaign.outside import OutsideTarget
from harness.campaign.recovering.writes import Ledger, opened_ledger
from harness.campaign.scenario import Settings
from harness.capture.reckoning import Write
from harness.config import WriteRoute
from tests.load.conftest import CountingServer

BODY = '{"text": "{key}"}'
BY_SELECT = WriteRoute("/notes?x=1", BODY, select="SELECT text FROM notes WHERE text = $1")
BY_GET = WriteRoute("/notes", BODY, get="/notes/{key}", method="PUT")


def outside(url: str, write: WriteRoute | None) -> Ground:
    return Ground(Settings(), print, outside=OutsideTarget(url), write=write)


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (None, "no [tool.harness.write] says what to write, and how to find it again"),
        (BY_SELECT, "the database is not ours to ask, and [tool.harness.write] has no `get`"),
    ],
)
def test_why_writes_cannot_be_looked_up(write: WriteRoute | None, why: str) -> None:
    assert opened_ledger(outside("http://127.0.0.1:1", write)) == why


def test_writers_are_told_where_and_under_which_keys() -> None:
    ledger = Ledger(outside("http://127.0.0.1:1", BY_GET), BY_GET, "harness-1-")

    option, route, keys, beginning = ledger.options("recovery-cut")

    assert (option, keys, beginning) == ("--write", "--keys", "harness-1-recovery-cut-")
    assert json.loads(route) == {"method": "PUT", "path": "/notes", "body": BODY}


def test_each_run_has_keys_of_its_own() -> None:
    ground = outside("http://127.0.0.1:1", BY_GET)
    first, second = opened_ledger(ground), opened_ledger(ground)

    assert isinstance(first, Ledger)
    assert isinstance(second, Ledger)
    assert first.beginning != second.beginning


def test_a_database_that_is_not_ours_is_asked_through_the_application(
    server: CountingServer,
) -> None:
    ledger = Ledger(outside(server.url, BY_GET), BY_GET, "harness-1-")

    reckoning = ledger.reckoned("x", (Write("a", 201), Write("b", None)))

    assert server.answered == ["/notes/a", "/notes/b"]
    assert reckoning.lost == ("a",)  # the server answers with an empty document


def test_a_key_is_looked_up_where_a_browser_would(server: CountingServer) -> None:
    route = WriteRoute("/notes", BODY, get="/größe/{key}")

    Ledger(outside(server.url, route), route, "harness-1-").reckoned("x", (Write("a b", 201),))

    assert server.answered == ["/gr%C3%B6%C3%9Fe/a%20b"]


def test_the_name_of_the_route_is_that_of_the_requests() -> None:
    assert Ledger(outside("", BY_SELECT), BY_SELECT, "").name == "POST /notes"
