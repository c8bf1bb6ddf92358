"""Which PostgreSQL is used, and what the error says when there is none."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from harness.database.embedded import EmbeddedServer
from harness.database.external import ExternalServer
from harness.database.search import Missing, find_server
from harness.database.server import ServerAddress
from harness.errors import ConfigurationError, ExitCode, NoPostgresError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.database.server import PostgresServer


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with closing(find_server("embedded", max_connections=20)) as server:
        yield server


def url_of(address: ServerAddress, *, password: str | None = None) -> str:
    secret = password or address.password
    return f"postgresql://{address.user}:{secret}@{address.host}:{address.port}/postgres"


def nothing(name: str) -> Missing:
    return Missing(name, why_not=f"no {name} here", remedy=f"install {name}")


def test_auto_finds_the_embedded_server() -> None:
    with closing(find_server("auto", max_connections=20)) as server:
        assert isinstance(server, EmbeddedServer)


def test_auto_takes_the_first_place_that_has_one(server: PostgresServer) -> None:
    asked: list[str] = []

    def lacks(_max_connections: int) -> Missing:
        asked.append("first")
        return nothing("first")

    def has(_max_connections: int) -> PostgresServer:
        asked.append("second")
        return server

    def unneeded(_max_connections: int) -> Missing:
        asked.append("third")
        return nothing("third")

    assert find_server("auto", probes=[lacks, has, unneeded]) is server
    assert asked == ["first", "second"]


def test_a_machine_without_any_is_told_what_was_probed_and_what_to_do() -> None:
    probes = [lambda _: nothing("wheel"), lambda _: nothing("docker")]

    with pytest.raises(NoPostgresError) as caught:
        find_server("auto", probes=probes)

    message = str(caught.value)
    assert "probed 2" in message
    assert "wheel: no wheel here" in message
    assert "docker: no docker here" in message
    assert "install wheel" in message
    assert "install docker" in message
    assert "HARNESS_POSTGRES=postgresql://" in message
    assert len(message.splitlines()) < 10
    assert caught.value.exit_code is ExitCode.ENVIRONMENT


@pytest.mark.parametrize("choice", ["container", "system"])
def test_places_of_later_versions_are_named_as_such(choice: str) -> None:
    with pytest.raises(NoPostgresError) as caught:
        find_server(choice)

    message = str(caught.value)
    assert choice in message
    assert "embedded" in message
    assert "HARNESS_POSTGRES" in message


@pytest.mark.parametrize(
    ("choice", "nearest"),
    [("embeded", "embedded"), ("Auto", "auto"), ("contaner", "container"), ("", "auto")],
)
def test_an_unknown_choice_gets_the_nearest_name(choice: str, nearest: str) -> None:
    with pytest.raises(ConfigurationError, match=f'Did you mean "{nearest}"'):
        find_server(choice)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_a_url_is_used_as_it_is_and_stays_running(server: PostgresServer, scheme: str) -> None:
    url = url_of(server.address).replace("postgresql", scheme, 1)

    external = find_server(url)
    external.close()

    assert external.address == server.address
    assert external.origin.endswith(f"at 127.0.0.1:{server.address.port}")
    assert isinstance(find_server(url), ExternalServer)


def test_a_url_where_nothing_answers_is_an_error_of_the_environment() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        with pytest.raises(NoPostgresError) as caught:
            find_server(f"postgresql://me:secret@127.0.0.1:{port}/shop")

    message = str(caught.value)
    assert f"127.0.0.1:{port}" in message
    assert "secret" not in message
    assert "HARNESS_POSTGRES" in message


def test_a_wrong_password_is_told_without_repeating_it(server: PostgresServer) -> None:
    with pytest.raises(NoPostgresError, match="password authentication failed") as caught:
        find_server(url_of(server.address, password="wrong-guess"))

    assert "wrong-guess" not in str(caught.value)


def test_the_url_of_another_database_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not the URL of a PostgreSQL") as caught:
        find_server("mysql://me:secret@localhost/shop")

    assert "secret" not in str(caught.value)


def test_options_in_a_url_are_refused_instead_of_lost() -> None:
    with pytest.raises(ConfigurationError, match="sslmode") as caught:
        find_server("postgresql://me:secret@localhost/shop?sslmode=require")

    assert "PGSSLMODE" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_url_that_cannot_be_read_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        find_server("postgresql://me:secret@localhost:port/shop")

    assert "secret" not in str(caught.value)
