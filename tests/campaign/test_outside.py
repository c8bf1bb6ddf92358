"""An application that runs already: what can be seen of it, with its token and without."""

from __future__ import annotations

import urllib.request
from http import HTTPStatus

import pytest

from harness.campaign.outside import OutsideTarget, plan_behind
from harness.errors import MisuseError
from harness.served import ServedApplication
from tests.load.conftest import CountingServer


def request(url: str) -> None:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own
        assert answer.status == HTTPStatus.OK


@pytest.mark.group("served")
def test_with_the_token_requests_are_counted_by_the_application(
    served_app: ServedApplication,
) -> None:
    target = OutsideTarget(served_app.url, served_app.token)
    target.begin_window([])
    request(f"{served_app.url}/tags")
    stretch = target.end_window(rest_seconds=1.0)

    (pid,) = stretch.after
    before = stretch.before[pid]["routes"].get("GET /tags", {"requests": 0})
    assert stretch.after[pid]["routes"]["GET /tags"]["requests"] - before["requests"] == 1
    assert stretch.at_rest.keys() == {pid}
    assert stretch.why_no_server == "its database is not ours to look into"


@pytest.mark.group("served")
def test_with_a_token_that_does_not_fit_nothing_is_seen(served_app: ServedApplication) -> None:
    target = OutsideTarget(served_app.url, "another")
    target.begin_window([])
    stretch = target.end_window(rest_seconds=1.0)

    assert (stretch.before, stretch.after, stretch.at_rest) == ({}, {}, {})


def test_without_a_token_only_the_machine_is_seen(server: CountingServer) -> None:
    target = OutsideTarget(server.url)
    target.begin_window([])
    stretch = target.end_window(rest_seconds=0.0)

    assert (stretch.before, stretch.after, stretch.server) == ({}, {}, None)
    assert stretch.machine.cores >= 1
    assert server.answered == []


def test_a_window_that_has_not_begun_cannot_end() -> None:
    with pytest.raises(MisuseError, match="no window has begun"):
        OutsideTarget("http://127.0.0.1:1").end_window(rest_seconds=0.0)


def test_the_token_is_not_shown() -> None:
    assert "secret" not in repr(OutsideTarget("http://127.0.0.1:1", "secret"))


def test_the_plan_has_the_routes_that_need_no_value(server: CountingServer) -> None:
    server.openapi = '{"paths": {"/pages": {"get": {}}, "/pages/{id}": {"get": {}}}}'

    assert plan_behind(server.url) == (("GET /pages", "/pages"),)


@pytest.mark.parametrize(
    ("document", "why"),
    [("{}", "has no GET without a value"), ("<html>", "cannot be read")],
    ids=["no routes", "no document"],
)
def test_an_application_that_tells_no_routes_is_misuse_with_the_way_out(
    document: str, why: str, server: CountingServer
) -> None:
    server.openapi = document

    with pytest.raises(MisuseError) as caught:
        plan_behind(server.url)

    assert f"{server.url}/openapi.json {why}" in str(caught.value)
    assert "give --plan FILE" in str(caught.value)


def test_an_address_where_nothing_answers_has_no_plan() -> None:
    with pytest.raises(MisuseError, match=r"127\.0\.0\.1:1/openapi\.json cannot be read"):
        plan_behind("http://127.0.0.1:1")
