"""Databases that outlive a run: tables and rows as configured, to be copied by the next ones.

Found by a key (see `keys`). One is made while an advisory lock keeps all others from making the
same, as a copy under a name of the run that makes it, and gets its own name when it is whole: what
bears that name is never half-made. The few that were used last are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.database.clones.backstage import Backstage
from harness.database.clones.names import COMMENT, TEMPLATE_PREFIX, lock_of, use_of
from harness.errors import NoDatabaseError

__all__ = ["Template", "Templates"]

MOST_TEMPLATES = 5
_MARK = f"{COMMENT}template, used "
_COPIED_BY = ", copied fastest by "
_OURS = """
SELECT datname, shobj_description(oid, 'pg_database') AS comment FROM pg_database
WHERE starts_with(datname, $1) AND starts_with(shobj_description(oid, 'pg_database'), $2)
"""
_TRY = "SELECT pg_try_advisory_xact_lock($1)"
"""Granted, it is let go of at once."""


@dataclass(frozen=True, slots=True)
class Template:
    """A database to be copied."""

    name: str
    copied_by: str | None = None
    """How the server copies it fastest, if a run has found out."""


@dataclass(frozen=True, slots=True)
class Templates:
    """The templates of one server."""

    backstage: Backstage

    @contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Be the only one that looks for or makes the template of a key."""
        with self.backstage.locked(lock_of(key)):
            yield

    def find(self, key: str) -> Template | None:
        """The template of a key, noted as used; ask inside `locked`."""
        query = f"{_OURS} AND datname = $3"
        found = self.backstage.call(self.backstage.fetch(query, *_ours(_name(key))))
        if not found:
            return None
        known = Template(_name(key), found[0]["comment"].partition(_COPIED_BY)[2] or None)
        self.note_use(known)
        self.backstage.call(self._hold(known))
        return known

    def note_use(self, template: Template) -> None:
        """Note when a template was used last, and how it is copied."""
        self.backstage.call(self._sign(template.name, template))

    def keep(self, key: str, *, source: str, building: str) -> Template:
        """Make the template of a key from a database that nobody is connected to.

        Args:
            key: What it is found by; call this inside `locked`.
            source: What to copy.
            building: A name of the run, so that a half-made copy goes with its other databases.

        Raises:
            NoDatabaseError: The server refused; what is left goes with the run.
        """
        template = Template(_name(key))
        self.backstage.call(self._hold(template))
        self.backstage.call(self._make(template, source, building))
        self.backstage.call(self._sweep(spared=template.name))
        return template

    async def _hold(self, template: Template) -> None:
        """Keep others from sweeping it, until the backstage is left."""
        await self.backstage.value("SELECT pg_advisory_lock_shared($1)", use_of(template.name))

    async def _make(self, template: Template, source: str, building: str) -> None:
        execute = self.backstage.execute
        await execute("CREATE DATABASE %I TEMPLATE %I", building, source)
        await execute("ALTER DATABASE %I ALLOW_CONNECTIONS false", building)
        await self._sign(building, template)
        # Somebody's own database of that name is in the way: the error says so.
        await execute("ALTER DATABASE %I RENAME TO %I", building, template.name)
        await execute("ALTER DATABASE %I IS_TEMPLATE true", template.name)

    async def _sign(self, database: str, template: Template) -> None:
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        copied_by = f"{_COPIED_BY}{template.copied_by}" if template.copied_by else ""
        comment = f"{_MARK}{moment}{copied_by}"
        await self.backstage.execute("COMMENT ON DATABASE %I IS %L", database, comment)

    async def _sweep(self, *, spared: str) -> None:
        """Drop what was not used for longest; what a living run copies stays."""
        query = f"{_OURS} AND datname <> $3 ORDER BY shobj_description(oid, 'pg_database') DESC"
        found = await self.backstage.fetch(query, *_ours(spared))
        for row in found[MOST_TEMPLATES - 1 :]:
            name = row["datname"]
            with suppress(NoDatabaseError):
                if await self.backstage.value(_TRY, use_of(name)):
                    await self._drop(name)

    async def _drop(self, name: str) -> None:
        await self.backstage.execute("ALTER DATABASE %I IS_TEMPLATE false", name)
        await self.backstage.execute("DROP DATABASE IF EXISTS %I", name)


def _ours(name: str) -> tuple[str, str, str]:
    return TEMPLATE_PREFIX, _MARK, name


def _name(key: str) -> str:
    return TEMPLATE_PREFIX + key
