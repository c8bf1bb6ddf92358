"""A query lock from text that anybody may have edited, merged by hand or cut off.

Nothing is guessed: what is not exactly a lock is refused, with the line and what to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount
from harness.lock.parsing import LockText, shown
from harness.lock.written import SCHEMA_VERSION

__all__ = ["from_text"]

_LOCK = ("schema", "dialects")
_ENDPOINT = ("statements", "round_trips", "shapes")
_SHAPE = ("most", "grows", "sql")

_Path = tuple[str, ...]


def from_text(text: str, *, where: str) -> QueryLock:
    """Read a lock.

    Args:
        text: The content of a file.
        where: The file, for errors.

    Raises:
        LockError: If it is not a lock of this version; names the line and the remedy.
    """
    written = LockText(text, where)
    return _Reading(written).lock(written.parsed())


@dataclass(frozen=True, slots=True)
class _Reading:
    written: LockText

    def lock(self, data: object) -> QueryLock:
        # The version first: of a newer one nothing else can be told.
        version = self.count(self.mapping(data, ()).get("schema"), ("schema",), least=1)
        if version > SCHEMA_VERSION:
            raise self.written.newer(version)
        dialects = self.mapping(self.fields(data, (), _LOCK)["dialects"], ("dialects",))
        return QueryLock(
            {name: self.endpoints(value, ("dialects", name)) for name, value in dialects.items()}
        )

    def endpoints(self, value: object, path: _Path) -> dict[str, EndpointCounts]:
        found = self.mapping(value, path)
        return {name: self.endpoint(counts, (*path, name)) for name, counts in found.items()}

    def endpoint(self, value: object, path: _Path) -> EndpointCounts:
        fields = self.fields(value, path, _ENDPOINT)
        at = (*path, "shapes")
        shapes = self.mapping(fields["shapes"], at)
        counts = EndpointCounts(
            statements=self.count(fields["statements"], (*path, "statements"), least=0),
            round_trips=self.count(fields["round_trips"], (*path, "round_trips"), least=0),
            shapes={id_: self.shape(shape, (*at, id_)) for id_, shape in shapes.items()},
        )
        most = max((shape.most for shape in counts.shapes.values()), default=0)
        if counts.statements < most:
            what = f"{counts.statements} statements, of which one alone runs {most} times"
            raise self.written.damaged((*path, "statements"), what)
        return counts

    def shape(self, value: object, path: _Path) -> ShapeCount:
        fields = self.fields(value, path, _SHAPE)
        grows, sql = fields["grows"], fields["sql"]
        if not isinstance(grows, bool):
            what = f"{shown(grows)} is neither true nor false"
            raise self.written.damaged((*path, "grows"), what)
        most = self.count(fields["most"], (*path, "most"), least=1)
        return ShapeCount(self.word(sql, (*path, "sql")), most, grows=grows)

    def fields(self, value: object, path: _Path, names: _Path) -> dict[str, Any]:
        found = self.mapping(value, path)
        for name in names:
            if name not in found:
                raise self.written.damaged(path, f'"{name}" is missing')
        for name in found:
            if name not in names:
                raise self.written.damaged((*path, name), f"{shown(name)} is unknown")
        return found

    def mapping(self, value: object, path: _Path) -> dict[str, Any]:
        if not isinstance(value, dict):
            what = f"{shown(value)} stands where an object is expected"
            raise self.written.damaged(path, what)
        for key in value:
            if not self.word(key, path):
                raise self.written.damaged(path, "a name is empty")
        return value

    def count(self, value: object, path: _Path, *, least: int) -> int:
        # True is an int to Python.
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            what = f"{shown(value)} is no whole number from {least} on"
            raise self.written.damaged(path, what)
        return value

    def word(self, value: object, path: _Path) -> str:
        if not isinstance(value, str):
            raise self.written.damaged(path, f"{shown(value)} is no text")
        if not _is_unicode(value):
            raise self.written.damaged(path, f"{shown(value)} holds half of a character")
        return value


def _is_unicode(text: str) -> bool:
    """Whether it can be printed: JSON writes halves of characters, and nobody can encode them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
