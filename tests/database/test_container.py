"""The container: what runs in it, that it ends with its owners, and what engines refuse."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import asyncpg
import pytest

from harness.database.admin import server_version
from harness.database.container import DEFAULT_IMAGE, ContainerServer
from harness.database.engine import engine_client, image_on_engine
from harness.database.lease import Lease
from harness.errors import NoPostgresError, ServerStartError

IMAGE = os.environ.get("CONTAINER_TEST_IMAGE", DEFAULT_IMAGE)
GONE_SECONDS = 15.0

STARTER = """
import sys
from harness.database.container import ContainerServer
server = ContainerServer.start(image=sys.argv[1])
print(server.lease.to_json(), flush=True)
sys.stdin.read()
"""
JOINER = """
import sys
from harness.database.lease import Lease
from harness.database.owned import OwnedServer
server = OwnedServer.join(Lease.from_json(sys.stdin.readline()))
print("joined", flush=True)
sys.stdin.read()
"""
needs_engine = pytest.mark.group("containers")


@pytest.fixture(scope="module")
def engine() -> None:
    try:
        with engine_client() as client:
            image_on_engine(client, IMAGE)
    except NoPostgresError as error:
        pytest.skip(error.what)


@pytest.fixture(scope="module")
def server(engine: None) -> Iterator[ContainerServer]:  # noqa: ARG001 - only with it
    with closing(ContainerServer.start(image=IMAGE)) as server:
        yield server


async def ask(server: ContainerServer, *statements: str) -> str:
    """The answer to the last of several statements."""
    address = server.address
    connection = await asyncpg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database="postgres",
    )
    try:
        answers = [str(await connection.fetchval(sql)) for sql in statements]
        return answers[-1]
    finally:
        await connection.close()


def containers() -> set[str]:
    with engine_client() as client:
        return {each["Names"][0].lstrip("/") for each in client.api.containers(all=True)}


def name_of(lease: Lease) -> str:
    return Path(lease.folder).name


def is_gone(lease: Lease) -> bool:
    return not Path(lease.folder).exists() and name_of(lease) not in containers()


def goes(lease: Lease) -> bool:
    deadline = time.monotonic() + GONE_SECONDS
    while not is_gone(lease):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def running(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def lease_of(process: subprocess.Popen[str]) -> Lease:
    assert process.stdout is not None
    return Lease.from_json(process.stdout.readline())


def reaper_of(lease: Lease) -> int:
    """The process that was started with the session's folder and has detached itself."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if lease.folder.encode() in command:
            return int(entry.name)
    pytest.fail("no reaper")


@needs_engine
def test_the_origin_names_version_and_image(server: ContainerServer) -> None:
    assert re.fullmatch(rf"PostgreSQL \d+\.\d+, container of {IMAGE}", server.origin)


@needs_engine
@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("full_page_writes", "off"),
        ("autovacuum", "off"),
        ("jit", "off"),
        ("timezone", "UTC"),
        ("max_connections", "200"),
        ("idle_in_transaction_session_timeout", "0"),
        ("server_encoding", "UTF8"),
    ],
)
async def test_it_is_set_up_for_data_that_is_thrown_away(
    server: ContainerServer, parameter: str, expected: str
) -> None:
    assert await ask(server, f"SHOW {parameter}") == expected


@needs_engine
async def test_its_data_lies_in_memory(server: ContainerServer) -> None:
    folder = Path(await ask(server, "SHOW data_directory"))
    mounts = (await ask(server, "SELECT pg_read_file('/proc/self/mounts')")).splitlines()

    kinds = {Path(line.split()[1]): line.split()[2] for line in mounts}
    assert next(kinds[path] for path in (folder, *folder.parents) if path in kinds) == "tmpfs"


@needs_engine
async def test_letters_beyond_ascii_have_upper_case(server: ContainerServer) -> None:
    assert await ask(server, "SELECT upper('é')") == "É"


@needs_engine
async def test_statements_can_be_counted_by_the_server(server: ContainerServer) -> None:
    count = await ask(
        server,
        "CREATE EXTENSION IF NOT EXISTS pg_stat_statements",
        "SELECT count(*) FROM pg_stat_statements",
    )

    assert int(count) > 0


@needs_engine
async def test_connections_and_settings_are_as_asked(engine: None) -> None:  # noqa: ARG001
    with closing(
        ContainerServer.start(image=IMAGE, max_connections=7, settings={"work_mem": "5MB"})
    ) as server:
        shown = [await ask(server, f"SHOW {name}") for name in ("max_connections", "work_mem")]

    assert shown == ["7", "5MB"]


@needs_engine
def test_closing_removes_everything_and_may_be_repeated(engine: None) -> None:  # noqa: ARG001
    server = ContainerServer.start(image=IMAGE)
    assert name_of(server.lease) in containers()

    server.close()
    server.close()

    assert is_gone(server.lease)


@pytest.fixture
def kept(engine: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # noqa: ARG001
    """Containers are kept, and removed after the test."""
    before = containers()
    monkeypatch.setenv("TESTCONTAINERS_REUSE_ENABLE", "true")
    yield
    with engine_client() as client:
        for name in containers() - before:
            client.api.remove_container(name, force=True, v=True)


@needs_engine
async def test_a_container_is_used_again_where_the_user_chose_so(kept: None) -> None:  # noqa: ARG001
    with closing(ContainerServer.start(image=IMAGE)) as first:
        await ask(first, "CREATE TABLE things ()")

    with closing(ContainerServer.start(image=IMAGE)) as second:
        assert second.address == first.address
        assert await ask(second, "SELECT count(*) FROM things") == "0"


@needs_engine
async def test_other_settings_make_another_container(kept: None) -> None:  # noqa: ARG001
    with (
        closing(ContainerServer.start(image=IMAGE)) as first,
        closing(ContainerServer.start(image=IMAGE, max_connections=7)) as second,
    ):
        assert await ask(second, "SHOW max_connections") == "7"
        assert second.address != first.address


@needs_engine
async def test_a_kept_container_that_has_stopped_is_made_anew(kept: None) -> None:  # noqa: ARG001
    before = containers()
    with closing(ContainerServer.start(image=IMAGE)):
        (name,) = containers() - before
    with engine_client() as client:
        client.api.stop(name, timeout=1)

    with closing(ContainerServer.start(image=IMAGE)) as server:
        assert await ask(server, "SELECT 42") == "42"


@needs_engine
def test_killing_the_only_owner_leaves_no_container(engine: None) -> None:  # noqa: ARG001
    with running(STARTER, IMAGE) as owner:
        lease = lease_of(owner)
        assert not is_gone(lease)

        owner.kill()

        assert goes(lease)


@needs_engine
def test_a_second_owner_keeps_the_container_when_the_first_is_killed(
    engine: None,  # noqa: ARG001
) -> None:
    with running(STARTER, IMAGE) as creator, running(JOINER) as worker:
        lease = lease_of(creator)
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(lease.to_json() + "\n")
        worker.stdin.flush()
        assert worker.stdout.readline() == "joined\n"

        creator.kill()
        creator.wait()
        assert server_version(lease.address)
        worker.kill()

        assert goes(lease)


@needs_engine
def test_the_next_start_removes_the_container_of_a_killed_owner_and_reaper(
    engine: None,  # noqa: ARG001
) -> None:
    with running(STARTER, IMAGE) as owner:
        lease = lease_of(owner)
        os.kill(reaper_of(lease), signal.SIGKILL)
        owner.kill()
    assert name_of(lease) in containers()

    ContainerServer.start(image=IMAGE).close()

    assert is_gone(lease)


@needs_engine
def test_a_server_that_does_not_start_shows_its_log_and_leaves_no_container(
    engine: None,  # noqa: ARG001
) -> None:
    before = containers()

    with pytest.raises(ServerStartError) as caught:
        ContainerServer.start(image=IMAGE, settings={"hba_file": "missing.conf"})

    message = str(caught.value)
    assert "has ended" in message
    assert "missing.conf" in message
    assert len(message.splitlines()) < 10
    assert containers() == before


@needs_engine
def test_an_image_that_cannot_be_had_is_named_with_the_remedy(
    engine: None,  # noqa: ARG001
) -> None:
    with pytest.raises(NoPostgresError, match="'localhost:9/no-such-image'") as caught:
        ContainerServer.start(image="localhost:9/no-such-image")

    assert "docker pull" in caught.value.remedy


@needs_engine
def test_a_word_that_names_no_image_is_told_apart_from_a_missing_one(
    engine: None,  # noqa: ARG001
) -> None:
    with pytest.raises(NoPostgresError, match="cannot be the name of an image") as caught:
        ContainerServer.start(image="Not A Name")

    assert "HARNESS_IMAGE" in caught.value.remedy


def test_an_engine_that_does_not_run_is_told_with_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")

    with pytest.raises(NoPostgresError, match="does not run") as caught:
        ContainerServer.start()

    assert f"unix://{tmp_path}/docker.sock" in caught.value.what
    assert "start it" in caught.value.remedy


@pytest.mark.skipif(Path("/var/run/docker.sock").exists(), reason="there is an engine")
def test_a_machine_without_docker_is_told_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NoPostgresError, match="Docker is not installed") as caught:
        ContainerServer.start()

    assert "docs.docker.com" in caught.value.remedy


def test_an_address_that_leads_to_no_engine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "carrier-pigeon://nest")

    with pytest.raises(NoPostgresError, match="carrier-pigeon://nest cannot be used") as caught:
        ContainerServer.start()

    assert "DOCKER_HOST" in caught.value.remedy


@pytest.mark.skipif(os.geteuid() == 0, reason="no socket is closed to root")
def test_a_socket_that_is_closed_to_us_is_told_with_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0)

        with pytest.raises(NoPostgresError, match="may not use") as caught:
            ContainerServer.start()

    assert "usermod" in caught.value.remedy
