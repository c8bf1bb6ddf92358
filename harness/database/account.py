"""Whom the embedded server runs as.

PostgreSQL refuses to run as root, and containers and CI jobs often are root. A module of its own
because binaries, cluster and process must agree on the same account, and because giving files away
as root is where a mistake would matter.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ServerStartError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Account", "server_account"]

UNPRIVILEGED_NAME = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """A user and a group; ``None`` for both means: whoever runs this process."""

    uid: int | None = None
    gid: int | None = None

    @property
    def is_other(self) -> bool:
        """Whether files have to be given to it and processes have to change to it."""
        return self.uid is not None

    @property
    def extra_groups(self) -> list[int] | None:
        """The supplementary groups for ``subprocess``: none at all for another account."""
        return [] if self.is_other else None

    def own(self, path: Path) -> None:
        """Give a file or a whole folder to this account.

        The top goes last: until then nobody but us can enter, so nothing inside can be swapped for
        a link while we work as root.
        """
        if self.uid is None or self.gid is None:
            return
        for parent, folders, files in os.walk(path, topdown=False):
            for name in (*folders, *files):
                os.chown(Path(parent, name), self.uid, self.gid, follow_symlinks=False)
        os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def let_through(self, folder: Path) -> None:
        """Let this account, and nobody else, walk through one of our folders."""
        if self.gid is None:
            folder.chmod(0o700)
            return
        os.chown(folder, -1, self.gid)
        folder.chmod(0o710)

    def run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs to its end as this account, output captured."""
        return subprocess.run(  # noqa: S603 - the wheel's own programs, no shell, no user input
            command,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd="/",  # the current folder may be one that the account cannot enter
            env=server_environment(),
            user=self.uid,
            group=self.gid,
            extra_groups=self.extra_groups,
        )


def server_environment() -> dict[str, str]:
    """The environment of PostgreSQL's programs: no ``PG*`` or ``LC_*`` of the caller gets in."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def server_account() -> Account:
    """The account that the server has to run as: ``nobody`` under root, otherwise oneself.

    Raises:
        ServerStartError: We are root and the machine has no user ``nobody``.
    """
    if os.geteuid() != 0:
        return Account()
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_NAME)
    except KeyError as error:
        what = f"PostgreSQL does not run as root, and there is no user {UNPRIVILEGED_NAME!r}."
        remedy = "Run as an ordinary user, or set HARNESS_POSTGRES=postgresql://user@host/db."
        raise ServerStartError(what, remedy=remedy) from error
    return Account(entry.pw_uid, entry.pw_gid)
