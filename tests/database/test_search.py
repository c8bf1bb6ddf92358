"""Which PostgreSQL is used, and what the error says when there is none."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from harness.database.embedded import EmbeddedServer
from harness.database.external import ExternalServer
from harness.database.search import Foresight, find_server, foresee
from harness.database.server import ServerAddress
from harness.database.sources import SOURCES, Missing, Source, Wish
from harness.errors import ConfigurationError, ExitCode, NoPostgresError, ServerStartError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.database.server import PostgresServer

SMALL = Wish(max_connections=20)
UNKNOWN_EXTENSION = Wish(max_connections=20, extensions=frozenset({"plpgsql", "no_such_thing"}))


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with closing(find_server("embedded", wish=SMALL)) as server:
        yield server


class Closable:
    """A server that remembers whether it was closed."""

    def __init__(self, server: PostgresServer) -> None:
        self.address = server.address
        self.origin = "PostgreSQL of a test"
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


class Shelf:
    """Makes sources, and remembers what was done with them."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def source(self, name: str, *, gives: PostgresServer | Exception | None = None) -> Source:
        def why_not(_wish: Wish) -> Missing | None:
            self.log.append(f"look at {name}")
            return None if gives else Missing(name, f"no {name} here", f"install {name}")

        def start(_wish: Wish) -> PostgresServer:
            self.log.append(f"start {name}")
            assert gives is not None
            if isinstance(gives, Exception):
                raise gives
            return gives

        return Source(name, why_not, start)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def url_of(address: ServerAddress, *, password: str | None = None) -> str:
    secret = password or address.password
    return f"postgresql://{address.user}:{secret}@{address.host}:{address.port}/postgres"


def test_auto_finds_the_embedded_server() -> None:
    with closing(find_server("auto", wish=SMALL)) as server:
        assert isinstance(server, EmbeddedServer)


def test_auto_takes_the_first_place_that_has_one(server: PostgresServer, shelf: Shelf) -> None:
    sources = [
        shelf.source("first"),
        shelf.source("second", gives=server),
        shelf.source("third", gives=server),
    ]

    assert find_server("auto", sources=sources) is server
    assert shelf.log == ["look at first", "look at second", "start second"]


def test_a_place_that_turns_out_to_have_none_is_passed_over(
    server: PostgresServer, shelf: Shelf
) -> None:
    unpullable = NoPostgresError("no such image")
    sources = [shelf.source("first", gives=unpullable), shelf.source("second", gives=server)]

    assert find_server("auto", sources=sources) is server


def test_a_server_that_is_there_and_does_not_start_is_not_passed_over(
    server: PostgresServer, shelf: Shelf
) -> None:
    broken = ServerStartError("broken")
    sources = [shelf.source("first", gives=broken), shelf.source("second", gives=server)]

    with pytest.raises(ServerStartError, match="broken"):
        find_server("auto", sources=sources)


def test_a_place_that_is_asked_for_is_the_only_one(server: PostgresServer, shelf: Shelf) -> None:
    sources = [shelf.source("first", gives=server), shelf.source("second")]

    with pytest.raises(NoPostgresError, match="probed 1"):
        find_server("second", sources=sources)
    assert shelf.log == ["look at second"]


def test_foresight_starts_nothing_and_tells_what_was_passed_over(
    server: PostgresServer, shelf: Shelf
) -> None:
    sources = [shelf.source("first"), shelf.source("second", gives=server)]

    foresight = foresee("auto", sources=sources)

    assert foresight.place == "second"
    assert [place.why_not for place in foresight.passed_over] == ["no first here"]
    assert shelf.log == ["look at first", "look at second"]


def test_foresight_of_nothing_is_none(shelf: Shelf) -> None:
    assert foresee("auto", sources=[shelf.source("first")]).place == "none"


def test_foresight_of_a_url_is_its_host_without_connecting() -> None:
    assert foresee("postgresql://me:secret@db.invalid:5433/shop").place == "db.invalid:5433"


def test_a_machine_without_any_is_told_what_was_probed_and_what_to_do(shelf: Shelf) -> None:
    with pytest.raises(NoPostgresError) as caught:
        find_server("auto", sources=[shelf.source("wheel"), shelf.source("docker")])

    message = str(caught.value)
    assert "probed 2" in message
    assert "wheel: no wheel here" in message
    assert "docker: no docker here" in message
    assert "install wheel" in message
    assert "install docker" in message
    assert "HARNESS_POSTGRES=postgresql://" in message
    assert len(message.splitlines()) < 10
    assert caught.value.exit_code is ExitCode.ENVIRONMENT


def test_the_embedded_server_is_passed_over_for_an_extension_that_it_lacks() -> None:
    (embedded,) = (source for source in SOURCES if source.name == "embedded")

    assert embedded.why_not(Wish(extensions=frozenset({"plpgsql", "vector"}))) is None
    missing = embedded.why_not(Wish(extensions=frozenset({"citext", "vector"})))
    assert missing is not None
    assert missing.why_not.endswith(": citext")
    assert '"container"' in missing.remedy


def test_a_server_without_the_extensions_is_closed_again(
    server: PostgresServer, shelf: Shelf
) -> None:
    lacking = Closable(server)

    with pytest.raises(NoPostgresError, match="creates: no_such_thing"):
        find_server("auto", wish=UNKNOWN_EXTENSION, sources=[shelf.source("a", gives=lacking)])

    assert lacking.is_closed


def test_a_server_with_the_extensions_stays(server: PostgresServer, shelf: Shelf) -> None:
    having = Closable(server)
    wish = Wish(extensions=frozenset({"plpgsql"}))

    assert find_server("auto", wish=wish, sources=[shelf.source("a", gives=having)]) is having
    assert not having.is_closed


def test_a_url_whose_server_lacks_an_extension_is_told(server: PostgresServer) -> None:
    with pytest.raises(NoPostgresError, match="creates: no_such_thing"):
        find_server(url_of(server.address), wish=UNKNOWN_EXTENSION)


@pytest.mark.parametrize(
    ("choice", "nearest"),
    [
        ("embeded", "embedded"),
        ("Auto", "auto"),
        ("contaner", "container"),
        ("SQLite", "sqlite"),
        ("", "auto"),
    ],
)
def test_an_unknown_choice_gets_the_nearest_name(choice: str, nearest: str) -> None:
    with pytest.raises(ConfigurationError, match=f'Did you mean "{nearest}"'):
        find_server(choice)


def test_no_server_is_taken_where_the_project_works_without() -> None:
    with pytest.raises(NoPostgresError, match="works on SQLite") as caught:
        find_server("sqlite")

    assert 'postgres = "embedded"' in str(caught.value)
    assert foresee("sqlite") == Foresight("sqlite")


def test_the_url_of_a_file_is_answered_with_the_word_for_it() -> None:
    with pytest.raises(ConfigurationError, match="not the URL of a PostgreSQL") as caught:
        find_server("sqlite:///shop.db")

    assert '"sqlite" alone' in caught.value.remedy


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
