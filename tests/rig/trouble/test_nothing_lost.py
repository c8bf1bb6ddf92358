"""The whole way: a served application that writes while its connections are being ended."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from sqlalchemy import URL

from harness.capture.reckoning import Write, reckon
from harness.config import Project, WriteRoute
from harness.database.embedded import EmbeddedServer
from harness.rig.trouble.backends import killing_backends
from harness.rig.trouble.ledger import keys_by_select
from harness.served import ServedApplication, serving
from harness.stage import staged

TODOS = WriteRoute(
    "/todos",
    '{"owner_id": 1, "title": "{key}"}',
    select="SELECT title FROM todos WHERE starts_with(title, $1)",
)
WRITERS = 3
WRITES = 25


@pytest.fixture
def prepared_url(harness_project: Project, server: EmbeddedServer) -> Iterator[URL]:
    with staged(harness_project, server) as stage:
        stage.prepare()
        yield stage.url


@pytest.fixture
def application(prepared_url: URL, server: EmbeddedServer) -> Iterator[ServedApplication]:
    address = server.address.url("postgres").render_as_string(hide_password=False)
    database = prepared_url.database or ""
    with serving(["--database", database], environment={"HARNESS_POSTGRES": address}) as served:
        yield served


def _write(application: ServedApplication, key: str) -> Write:
    request = urllib.request.Request(  # noqa: S310 - http, on loopback
        application.url + TODOS.path,
        data=TODOS.body_for(key).encode(),
        headers={"Content-Type": "application/json"},
        method=TODOS.method,
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - as above
            return Write(key, answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return Write(key, error.code)


def test_what_was_answered_is_there_once_though_connections_were_ended(
    application: ServedApplication, prepared_url: URL
) -> None:
    writes: list[Write] = []

    def work(writer: int) -> None:
        keys = (f"ledger-{writer}-{number}" for number in range(WRITES))
        writes.extend(_write(application, key) for key in keys)

    writers = [threading.Thread(target=work, args=[number]) for number in range(WRITERS)]
    _write(application, "before")  # so that there is a connection to end
    with killing_backends(prepared_url, every_seconds=0.05, share=0.5) as kills:
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

    reckoning = reckon(writes, keys_by_select(prepared_url, TODOS.select, beginning="ledger-"))
    assert reckoning.is_nothing_lost
    assert reckoning.sent == WRITERS * WRITES
    assert reckoning.answered > 0
    assert reckoning.strangers == ()
    assert any(kill.killed for kill in kills)
