"""The cache of initialised clusters: made once, private, never trusted when it is not whole."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.database.account import server_account
from harness.database.admin import server_version
from harness.database.binaries import Binaries, find_binaries, reachable_binaries
from harness.database.cluster import provide_cluster
from harness.database.lease import Lease
from harness.database.places import file_sizes
from harness.database.session import make_session_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTER = """
import sys
from pathlib import Path
from harness.database.embedded import EmbeddedServer
server = EmbeddedServer.start(cache=Path(sys.argv[1]))
print(server.lease.to_json(), flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class Provided:
    """What one session got."""

    password: str
    files: frozenset[str]


@pytest.fixture(scope="module")
def binaries() -> Binaries:
    found = find_binaries()
    assert found is not None
    return reachable_binaries(found, server_account())


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def entry(cache: Path, binaries: Binaries) -> Path:
    """The only entry of a cache that was used once."""
    provided(cache, binaries)
    (made,) = [path for path in cache.iterdir() if path.is_dir()]
    return made


def provided(cache: Path, binaries: Binaries) -> Provided:
    account = server_account()
    session = make_session_folder(account)
    try:
        password = provide_cluster(session.data, binaries, account, cache=cache)
        return Provided(password, frozenset(file_sizes(session.data)))
    finally:
        shutil.rmtree(session.path)


@contextmanager
def starting(cache: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER, cache],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_second_session_gets_a_copy_of_the_first(cache: Path, binaries: Binaries) -> None:
    first = provided(cache, binaries)

    assert provided(cache, binaries) == first


def test_only_we_can_read_the_password_in_the_cache(cache: Path, entry: Path) -> None:
    assert permissions(cache) == 0o700
    assert permissions(entry) == 0o700
    assert permissions(entry / "password") == 0o600
    assert entry.stat().st_uid == os.geteuid()


@pytest.mark.parametrize("name", ["data/global/pg_control", "sizes.json", "password"])
def test_an_entry_with_a_missing_file_is_made_anew(
    cache: Path, entry: Path, binaries: Binaries, name: str
) -> None:
    before = (entry / "password").read_text()
    (entry / name).unlink()

    again = provided(cache, binaries)

    assert again.password != before
    assert (entry / "password").read_text() == again.password
    assert "global/pg_control" in again.files


def test_an_entry_with_a_shortened_file_is_made_anew(
    cache: Path, entry: Path, binaries: Binaries
) -> None:
    before = (entry / "password").read_text()
    os.truncate(entry / "data/global/pg_control", 10)

    assert provided(cache, binaries).password != before


def test_a_half_made_entry_is_cleared_away(cache: Path, entry: Path, binaries: Binaries) -> None:
    half_made = entry.with_name(f"{entry.name}.building")
    entry.rename(half_made)

    provided(cache, binaries)

    assert entry.is_dir()
    assert not half_made.exists()


def test_a_cache_that_others_can_write_to_is_not_used(cache: Path, binaries: Binaries) -> None:
    cache.mkdir()
    cache.chmod(0o777)

    first, second = provided(cache, binaries), provided(cache, binaries)

    assert first.password != second.password
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_made_is_done_without(tmp_path: Path, binaries: Binaries) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()

    assert provided(in_the_way / "cache", binaries).files


def test_two_first_starts_at_once_share_one_entry(cache: Path) -> None:
    with starting(cache) as first, starting(cache) as second:
        leases = []
        for process in (first, second):
            assert process.stdout is not None
            leases.append(Lease.from_json(process.stdout.readline()))

        assert all(server_version(lease.address) for lease in leases)
        assert leases[0].folder != leases[1].folder
        assert leases[0].address.password == leases[1].address.password
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 1
