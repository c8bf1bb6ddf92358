"""An image of PostgreSQL made without a registry: Debian's own packages, unpacked by debootstrap.

Takes one and a half minutes and the network of Debian's packages, so the result is kept in the
user's cache folder. What the image understands stands in ``postgres_entrypoint.sh``.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["import_image"]

ENTRYPOINT = Path(__file__).with_name("postgres_entrypoint.sh")
PACKAGES = "postgresql,postgresql-contrib"
DEFAULT_MIRROR = "http://deb.debian.org/debian"
# What no server in a container reads: documentation, the compiler of its JIT, package lists.
LEFT_OUT = (
    "./dev/*",
    "./usr/share/doc",
    "./usr/share/i18n",
    "./usr/share/locale",
    "./usr/share/man",
    "./usr/share/perl",
    "./var/cache/*",
    "./var/lib/apt/*",
    "./var/log/*",
    "*/bitcode",
    "*/libLLVM*",
)
BUILD_SIZE = "size=2g"
BUILD_NEEDS_BYTES = 3 << 30


@dataclass(frozen=True, slots=True)
class _Kept:
    """An image in the cache."""

    archive: Path

    @property
    def description(self) -> Path:
        return self.archive.with_suffix(".json")

    def is_whole(self) -> bool:
        """The description is written last."""
        return self.archive.exists() and self.description.exists()

    @property
    def major(self) -> str:
        return str(json.loads(self.description.read_text())["major"])


def import_image(client: DockerClient, cache: Path, environment: Mapping[str, str]) -> str:
    """Give the engine the image, made now or kept from an earlier run; returns its name.

    Args:
        client: The engine.
        cache: Where images are kept.
        environment: Where debootstrap and its needs are found.
    """
    kept = _Kept(cache / f"postgres-{_release()}-{platform.machine()}-{_recipe()}.tar")
    if not kept.is_whole():
        print("Making the image of PostgreSQL (once; takes about a minute and a half)", flush=True)
        _make(kept, environment)
    major = kept.major
    path = f"/usr/lib/postgresql/{major}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    client.api.import_image_from_file(
        str(kept.archive),
        repository="harness-postgres",
        tag=major,
        changes=[
            'ENTRYPOINT ["/usr/local/bin/postgres_entrypoint.sh"]',
            f"ENV PATH={path}",
            f"ENV PG_MAJOR={major}",
            "ENV PGDATA=/var/lib/postgresql/data",
        ],
    )
    return f"harness-postgres:{major}"


def _make(kept: _Kept, environment: Mapping[str, str]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="harness-image-"))
    try:
        building = kept.archive.with_suffix(".building")
        environment = {
            **environment,
            "ROOT": str(folder),
            "ARCHIVE": str(building),
            "PACKAGES": PACKAGES,
            "RELEASE": _release(),
            "MIRROR": _mirror(),
            "ENTRYPOINT": str(ENTRYPOINT),
            "LEFT_OUT": " ".join(f"--exclude={path}" for path in LEFT_OUT),
        }
        # A mount namespace of its own: the memory that it is made in goes with the process.
        in_memory = (
            f"mount -t tmpfs -o {BUILD_SIZE},mode=755 tmpfs $ROOT" if _has_room() else "true"
        )
        script = f"""
            set -euf
            {in_memory}
            debootstrap --variant=minbase --include=$PACKAGES $RELEASE $ROOT $MIRROR > $ARCHIVE.log
            cp $ENTRYPOINT $ROOT/usr/local/bin/
            tar -C $ROOT $LEFT_OUT -cf $ARCHIVE .
            ls $ROOT/usr/lib/postgresql
        """
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        log = building.with_name(f"{building.name}.log")
        if done.returncode:
            said = log.read_text()[-2000:] if log.exists() else "(its last words stand above)"
            raise SystemExit(f"The image could not be made: {said}")
        log.unlink()
        building.rename(kept.archive)
        kept.description.write_text(json.dumps({"major": done.stdout.split()[-1]}))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _has_room() -> bool:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") > BUILD_NEEDS_BYTES


def _recipe() -> str:
    recipe = "\0".join((ENTRYPOINT.read_text(), PACKAGES, *LEFT_OUT))
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


def _release() -> str:
    return platform.freedesktop_os_release()["VERSION_CODENAME"]


def _mirror() -> str:
    """Where this machine's own packages come from: it may be a mirror of the house."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT) $(REPO_URI)"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = re.search(rf"^\S+ {_release()} main (\S+)$", listed, re.MULTILINE)
    return found[1] if found else DEFAULT_MIRROR
