"""The text of a lock as data, and every complaint about it: file, line, place, remedy.

A gate rests on it, so what two branches leave behind is refused before anything is read: markers of
a conflict, and keys that stand twice, of which JSON's parsers would quietly take the last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import LockError
from harness.lock.places import line_of, line_of_second
from harness.lock.written import SCHEMA_VERSION

__all__ = ["LockText", "shown"]

_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})", re.MULTILINE)
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class LockText:
    """What stands in a file that should be a lock."""

    text: str
    where: str
    """The file, for errors."""

    def parsed(self) -> object:
        """The data.

        Raises:
            LockError: If it is not JSON, or says something twice.
        """
        self._refuse_conflicts()
        objects = _Objects()
        try:
            data = json.loads(self.text, object_pairs_hook=objects.made)
        except json.JSONDecodeError as error:
            raise self._damaged(f"{error.msg}, column {error.colno}", error.lineno) from None
        except (ValueError, RecursionError) as error:  # a number, or a depth, beyond all reason
            raise self._damaged(str(error), None) from None
        if objects.repeated:
            path, line = line_of_second(self.text) or ((), None)
            raise self._damaged(f"{shown(objects.repeated[0])} stands there twice", line, path)
        return data

    def damaged(self, path: tuple[str, ...], what: str) -> LockError:
        """What to raise about one place.

        Args:
            path: The keys that lead to it.
            what: What is wrong with it.
        """
        return self._damaged(what, line_of(self.text, path), path)

    def newer(self, schema: int) -> LockError:
        """What to raise about a version that nobody knows here."""
        return LockError(
            f"the query lock was made by a newer version: its schema is {shown(schema)}, and this "
            f"version reads {SCHEMA_VERSION}",
            where=_place(self.where, line_of(self.text, ("schema",)), ()),
            remedy="install the version of the harness that has written it, or make the lock "
            f"anew: {_anew(self.where)}",
        )

    def _refuse_conflicts(self) -> None:
        found = _CONFLICT.search(self.text)
        if found is not None:
            raise LockError(
                "the query lock has conflict markers of an unfinished merge",
                where=_place(self.where, self.text.count("\n", 0, found.start()) + 1, ()),
                remedy="\n  ".join(
                    (
                        "take the maximum of both branches:",
                        *_from_git(self.where),
                        f"harness lock merge OURS THEIRS -o {self.where}",
                    )
                )
                + f"\nor make it anew: {_anew(self.where)}",
            )

    def _damaged(self, what: str, line: int | None, path: Iterable[str] = ()) -> LockError:
        return LockError(
            f"the query lock cannot be read: {what}",
            where=_place(self.where, line, path),
            remedy="take it from the commit before the damage, correct the line, or make it anew: "
            f"{_anew(self.where)}",
        )


@dataclass(frozen=True, slots=True)
class _Objects:
    """Makes dictionaries, and notes keys that are lost on the way."""

    repeated: list[str] = field(default_factory=list)

    def made(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in pairs:
            if key in found:
                self.repeated.append(key)
            found[key] = value
        return found


def shown(value: object) -> str:
    """A value, short enough for a message."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def _place(file: str, line: int | None, path: Iterable[str]) -> str:
    place = file if line is None else f"{file}:{line}"
    # What is no character cannot be printed either.
    names = " > ".join(name.encode("ascii", "backslashreplace").decode() for name in path)
    return f"{place}: {names}" if names else place


def _anew(file: str) -> str:
    return f"delete {file}, then run pytest --query-lock=update"


def _from_git(file: str) -> Iterator[str]:
    """Commands that write the files of both branches; git takes no absolute path there."""
    path = Path(file)
    elsewhere = f"-C {path.parent} " if path.is_absolute() else ""
    name = path.name if path.is_absolute() else file
    yield from (
        f"git {elsewhere}show :{stage}:./{name} > {side}"
        for stage, side in ((2, "OURS"), (3, "THEIRS"))
    )
