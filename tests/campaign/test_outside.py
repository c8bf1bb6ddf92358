"""An application that runs already: what can be seen of it, with its token and without."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path

import pytest

from harness.asgi.server import bound_socket
from harness.campaign.outside import OutsideTarget, plan_behind
from harness.capture.differences import load_window
from harness.capture.windows import Reading
from harness.checks.load.validity import unread
from harness.errors import MisuseError
from harness.rig.protocol import Stretch
from harness.rig.reading import begun_window
from harness.served import ServedApplication
from tests.capture.readings import client
from tests.load.conftest import CountingServer
from tests.processes import stopped
from tests.strangers import TOKEN, uvicorn


def request(url: str) -> None:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own
        assert answer.status == HTTPStatus.OK


def seen(url: str, token: str = "", *, meanwhile: Callable[[], object] = int) -> Stretch:
    window = begun_window(OutsideTarget(url, token), [])
    meanwhile()
    return window.end(rest_seconds=0.5)


@pytest.mark.group("served")
def test_with_the_token_requests_are_counted_by_the_application(
    served_app: ServedApplication,
) -> None:
    url = served_app.url
    stretch = seen(url, served_app.token, meanwhile=lambda: request(f"{url}/tags"))

    (pid,) = stretch.after
    before = stretch.before[pid]["routes"].get("GET /tags", {"requests": 0})
    assert stretch.after[pid]["routes"]["GET /tags"]["requests"] - before["requests"] == 1
    assert stretch.at_rest.keys() == {pid}
    assert stretch.why_no_server == "its database is not ours to look into"


@pytest.mark.group("served")
def test_with_a_token_that_does_not_fit_nothing_is_seen(served_app: ServedApplication) -> None:
    stretch = seen(served_app.url, "another")

    assert (stretch.before, stretch.after, stretch.at_rest, stretch.silent) == ({}, {}, {}, ())


def test_without_a_token_only_the_machine_is_seen(server: CountingServer) -> None:
    stretch = seen(server.url)

    assert (stretch.before, stretch.after, stretch.server, stretch.silent) == ({}, {}, None, ())
    assert stretch.machine.cores >= 1
    assert server.answered == []


def test_one_that_tells_nothing_for_another_reason_is_silent_and_not_without_a_probe() -> None:
    with bound_socket("127.0.0.1", 0) as nobody:
        stretch = seen(f"http://127.0.0.1:{nobody.getsockname()[1]}", TOKEN)

    assert [(each.pid, each.reading) for each in stretch.silent] == [
        (None, reading) for reading in Reading
    ]
    assert "refused" in stretch.silent[0].why


def test_of_workers_behind_one_port_it_is_told_which_was_not_found_again(tmp_path: Path) -> None:
    with uvicorn(tmp_path, workers=2) as (url, pids), ExitStack() as stack:
        hanging = min(pids)
        stretch = seen(url, TOKEN, meanwhile=lambda: stack.enter_context(stopped(hanging)))

    window = load_window(
        seconds=stretch.seconds,
        client=client(),
        before=stretch.before,
        after=stretch.after,
        at_rest=stretch.at_rest,
        silent=stretch.silent,
    )
    assert stretch.before.keys() == pids
    assert window.processes == 2
    assert [(each.pid, each.reading) for each in window.unread] == [(hanging, Reading.END)]
    assert f"process {hanging} was not read at the end of the load" in unread(window)


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
