"""Nothing lost: every write that was answered 2xx is in the database exactly once.

The writers note a key for each write and what they were answered; after the trouble the keys that
are in the database are read and compared. What was never answered may be there or not: the answer
was lost, and nobody can know. Comparing is pure; where the keys go and how they are found again is
for the application's owner to say (`WriteRoute`).
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import asyncpg
from sqlalchemy import URL

from harness.errors import ConfigurationError, UnreachableTargetError
from harness.rig.trouble.line import connected
from harness.rig.trouble.own_loop import run_apart

__all__ = ["Reckoning", "Write", "WriteRoute", "keys_by_get", "keys_by_select", "reckon"]

KEY = "{key}"
_OK = range(200, 300)
_NOT_FOUND = frozenset({404, 410})
_ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class WriteRoute:
    """Which endpoint writes, what it is sent, and how a key is found again.

    Raises:
        ConfigurationError: A part lacks its placeholder, or there is no way to find a key.
    """

    path: str
    """Below the application's address: ``"/todos"``."""
    body: str
    """JSON with ``{key}`` where the key goes: ``'{"owner_id": 1, "title": "{key}"}'``."""
    select: str = ""
    """Reads keys, one a row, those twice that are there twice. ``$1`` is what they begin with:
    ``"SELECT title FROM todos WHERE starts_with(title, $1)"``."""
    get: str = ""
    """Instead of `select`, where the database is not ours to ask: a path with ``{key}`` that
    answers 404, or a document that has the key as often as it was written."""
    method: str = "POST"

    def __post_init__(self) -> None:
        where = f"the write route {self.method} {self.path}"
        if KEY not in self.body:
            raise ConfigurationError(f"its body has no {KEY}", where=where)
        try:
            json.loads(self.body_for("x"))
        except ValueError as error:
            raise ConfigurationError(f"its body is no JSON: {error}", where=where) from error
        if self.select and "$1" not in self.select:
            what = "its select has no $1: it would read rows that the writers did not write"
            raise ConfigurationError(what, where=where)
        if self.get and KEY not in self.get:
            raise ConfigurationError(f"its get has no {KEY}", where=where)
        if not self.select and not self.get:
            remedy = "give it a `select` or a `get`"
            raise ConfigurationError("nothing finds its keys again", where=where, remedy=remedy)

    def body_for(self, key: str) -> str:
        """The body that writes a key."""
        return self.body.replace(KEY, key)


@dataclass(frozen=True, slots=True)
class Write:
    """One request that a writer sent."""

    key: str
    status: int | None
    """What it was answered; None if no whole answer came."""


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What became of all writes."""

    sent: int
    """Different keys."""
    answered: int
    """Keys that were answered 2xx."""
    lost: tuple[str, ...]
    """Answered 2xx, and not there."""
    doubled: tuple[str, ...]
    """There more than once, whatever was answered."""
    unknown: int
    """Never answered: may be there or not."""
    unknown_there: int
    """Of these, in the database."""
    failed: int
    """Answered, and never 2xx: mostly not written."""
    failed_there: int
    """Of these, in the database: written, and then something went wrong before the answer."""
    strangers: tuple[str, ...]
    """Found, and never sent: what finds the keys finds other rows, too."""

    @property
    def is_nothing_lost(self) -> bool:
        """Whether every write that was answered 2xx is there exactly once, and none twice."""
        return not self.lost and not self.doubled


def reckon(writes: Iterable[Write], found: Mapping[str, int]) -> Reckoning:
    """Compare what was answered with what is there.

    Args:
        writes: Everything that was sent; a key that a writer sent again is there several times.
        found: Keys in the database, and how often each is there.
    """
    answers: dict[str, set[int | None]] = {}
    for write in writes:
        answers.setdefault(write.key, set()).add(write.status)
    good = {key for key, got in answers.items() if any(status in _OK for status in got)}
    unknown = {key for key, got in answers.items() if key not in good and None in got}
    failed = answers.keys() - good - unknown
    there = {key for key, count in found.items() if count > 0}
    return Reckoning(
        sent=len(answers),
        answered=len(good),
        lost=tuple(sorted(good - there)),
        doubled=tuple(sorted(key for key in answers if found.get(key, 0) > 1)),
        unknown=len(unknown),
        unknown_there=len(unknown & there),
        failed=len(failed),
        failed_there=len(failed & there),
        strangers=tuple(sorted(there - answers.keys())),
    )


def keys_by_select(url: URL, select: str, *, beginning: str) -> Counter[str]:
    """Read the keys from the database itself.

    Args:
        url: The application's database, with any driver.
        select: As in `WriteRoute.select`.
        beginning: Of the keys that were sent.

    Raises:
        ConfigurationError: The server does not understand the select.
        UnreachableTargetError: The server does not answer.
    """

    async def read() -> Counter[str]:
        async with connected(url) as line:
            rows = await line.fetch(select, beginning)
        return Counter(str(row[0]) for row in rows)

    try:
        return run_apart(read)
    except asyncpg.PostgresError as error:
        raise ConfigurationError(f"the keys cannot be read: {error}", where=select) from error


def keys_by_get(
    base_url: str, get: str, keys: Iterable[str], *, headers: Mapping[str, str] | None = None
) -> Counter[str]:
    """Ask the application itself for each key: one request a key.

    Args:
        base_url: ``"http://127.0.0.1:8000"``.
        get: As in `WriteRoute.get`.
        keys: Those that were sent.
        headers: To send with each request, such as an authorization.

    Raises:
        UnreachableTargetError: The application does not answer, or neither 2xx nor 404.
    """
    found: Counter[str] = Counter()
    for key in keys:
        answer = _answer_of(base_url + get.replace(KEY, urllib.parse.quote(key, safe="")), headers)
        found[key] += answer.count(json.dumps(key))
    return +found


def _answer_of(url: str, headers: Mapping[str, str] | None) -> str:
    request = urllib.request.Request(url, headers=dict(headers or {}))  # noqa: S310 - the user's own address
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - as above
            content: bytes = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            if error.code in _NOT_FOUND:
                return ""
            what = f"the application answers {error.code} when asked for a key"
            raise UnreachableTargetError(what, where=url) from error
    except OSError as error:
        what = f"the application does not answer when asked for a key: {error}"
        raise UnreachableTargetError(what, where=url) from error
    return content.decode(errors="replace")
