"""A PostgreSQL from the programs that this machine has: Debian's, Homebrew's, one built by hand.

For machines where neither the wheel nor a container will do. The system's own server, its data and
its port are left alone: only the programs are used, on a cluster of our own.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from harness.database.account import server_account
from harness.database.binaries import Binaries, postgres_version
from harness.database.launcher import launch
from harness.database.owned import OwnedServer
from harness.errors import NoPostgresError, ServerStartError

if TYPE_CHECKING:
    from harness.database.account import Account

__all__ = ["SystemServer", "look_for_programs"]

PROGRAMS = ("postgres", "initdb")
DIGITS = re.compile(r"\d+")
OLDEST_MAJOR = 14
"""The first with every option of initdb that we need; older ones get no fixes any more."""
USUAL_FOLDERS = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # packages of the PostgreSQL project for Red Hat's systems
    "/usr/libexec/postgresql*",  # Alpine
    "/usr/local/pgsql/bin",  # built by hand
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
COUNTING_LIBRARY = (
    "lib/pg_stat_statements.*",  # Debian, Red Hat's systems, built by hand
    "lib/postgresql/pg_stat_statements.*",  # Homebrew
)
"""Where programs of the above have it, seen from their installation."""
REMEDY = "apt-get install postgresql (or brew install postgresql); a folder in PATH does, too"


class SystemServer(OwnedServer):
    """A PostgreSQL of our own, from the system's programs."""

    @classmethod
    def start(
        cls,
        *,
        max_connections: int = 200,
        settings: Mapping[str, str] = MappingProxyType({}),
        cache: Path | None = None,
        folders: Iterable[Path] | None = None,
    ) -> Self:
        """Start a server on a fresh cluster, on the loopback and on a private unix socket.

        Args:
            max_connections: How many connections it allows at once.
            settings: Server parameters, on top of the ones that make a disposable server fast.
            cache: Where initialised clusters are kept; by default the user's cache folder.
            folders: Where to look for programs; by default everywhere they usually are.

        Raises:
            NoPostgresError: This machine has no programs that we can use.
            ServerStartError: The server does not start; the message has the end of its log.
        """
        binaries = look_for_programs(folders)
        return cls(
            *launch(
                binaries,
                server_account(),
                place=f"from {Path(binaries.program('postgres')).parent}",
                max_connections=max_connections,
                settings={**_preloaded(binaries), **settings},
                cache=cache,
            )
        )


def _preloaded(binaries: Binaries) -> dict[str, str]:
    """Let the server count statements, as the container does."""
    installation = binaries.site / binaries.install
    # A library that is preloaded and not there would keep it from starting.
    is_there = any(any(installation.glob(pattern)) for pattern in COUNTING_LIBRARY)
    return {"shared_preload_libraries": "pg_stat_statements"} if is_there else {}


def look_for_programs(folders: Iterable[Path] | None = None) -> Binaries:
    """The newest PostgreSQL of this machine.

    Args:
        folders: Where to look; by default everywhere they usually are.

    Raises:
        NoPostgresError: There is none that the server's account can run.
    """
    account = server_account()
    found = [
        _examined(folder, account)
        for folder in _with_programs(_usual_places() if folders is None else folders)
    ]
    usable = [each for each in found if isinstance(each, Binaries)]
    if usable:
        return max(usable, key=_release)
    what = "; ".join(str(each) for each in found) or "No programs of PostgreSQL on this machine."
    raise NoPostgresError(what, remedy=REMEDY)


def _release(binaries: Binaries) -> tuple[int, ...]:
    return tuple(map(int, DIGITS.findall(binaries.build.partition("-")[0])))


def _with_programs(folders: Iterable[Path]) -> list[Path]:
    resolved = dict.fromkeys(folder.resolve() for folder in folders)
    return [
        folder
        for folder in resolved
        if all(os.access(folder / program, os.X_OK) for program in PROGRAMS)
    ]


def _examined(folder: Path, account: Account) -> Binaries | str:
    """The programs of a folder, or why they will not do."""
    installation = folder.parent
    found = Binaries(installation.parent, Path(installation.name), build="", major=0)
    try:
        version = postgres_version(found, account)
    except (OSError, ServerStartError) as error:  # such as one in a home that is closed to it
        return f"{folder} cannot be run: {str(error).splitlines()[0]}"
    major = int(DIGITS.findall(version)[0])
    if major < OLDEST_MAJOR:
        return f"{folder} has PostgreSQL {version}, older than {OLDEST_MAJOR}."
    # Two builds of one version may differ in what a data directory looks like.
    mark = hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]
    return replace(found, build=f"{version}-{mark}", major=major)


def _usual_places() -> Iterator[Path]:
    for program in PROGRAMS:
        on_path = shutil.which(program)
        if on_path is not None:
            # A link in PATH leads to the folder that has everything.
            yield Path(on_path).resolve().parent
    yield from _told_by_pg_config()
    for pattern in USUAL_FOLDERS:
        yield from Path("/").glob(pattern.lstrip("/"))


def _told_by_pg_config() -> Iterator[Path]:
    program = shutil.which("pg_config")
    if program is not None:
        answer = subprocess.run(  # noqa: S603 - a program of the user's own PATH
            [program, "--bindir"], capture_output=True, text=True, check=False
        )
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())
