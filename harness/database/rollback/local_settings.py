"""``SET LOCAL`` and ``set_config(…, true)`` end with the transaction that they were made in.

RELEASE keeps them, and ROLLBACK TO undoes only those made since its savepoint: without this module
a request works with the tenant of the request before it. Values never leave the server: what was in
effect is kept in settings of our own beside them, and set again by SQL alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Bound", "Mention", "keep", "mentions_in", "restore", "set_aside", "take_back"]

_ANY_SET_LOCAL = re.compile(r"set\s+local\b")
_SET_LOCAL = re.compile(
    r"\bset\s+local\s+(?P<name>time\s+zone|session\s+authorization|xml\s+option"
    r"|\"?[a-z_][\w$]*\"?(?:\s*\.\s*\"?[a-z_][\w$]*\"?)*)",
    re.IGNORECASE,
)
# How a value may be bound: asyncpg's $1, psycopg's %(name)s and %s; or it stands in the text.
_BOUND = r"(?:\$(?P<{0}_number>\d+)|%\((?P<{0}_key>\w+)\)s|(?P<{0}_next>%s))"
_SET_CONFIG = re.compile(
    r"\bset_config\s*\(\s*(?:cast\s*\(\s*)?(?:'(?P<name>[^']*)'|" + _BOUND.format("name") + ")"
    r".*?,\s*(?:(?P<session>false|'f\w*')|true|'t\w*'|"
    + _BOUND.format("local")
    + r")(?:::\w+)?\s*\)",
    re.IGNORECASE | re.DOTALL,
)
_NAME = re.compile(r"[a-z_][\w$]*(?:\.[a-z_][\w$]*)*", re.IGNORECASE)
_OTHER_NAMES = {
    "time zone": "timezone",
    "session authorization": "session_authorization",
    "xml option": "xmloption",
    "names": "client_encoding",
    "schema": "search_path",
}
# Of a transaction: the server itself ends their effect with the savepoint. Or without a value.
_NO_SETTINGS = {
    "constraints",
    "seed",
    "transaction",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
}


@dataclass(frozen=True, slots=True)
class Bound:
    """A value that comes as a parameter: its position from 0, or its name."""

    key: int | str

    def within(self, parameters: object) -> object:
        """The value, or None where the parameters are of another kind."""
        if isinstance(self.key, str):
            return parameters.get(self.key) if isinstance(parameters, Mapping) else None
        is_row = isinstance(parameters, Sequence) and len(parameters) > self.key
        return parameters[self.key] if is_row else None  # type: ignore[index] # it is a sequence


@dataclass(frozen=True, slots=True)
class Mention:
    """One place of a statement that sets something until the end of the transaction."""

    name: str | Bound
    is_local: bool | Bound = True

    def resolved(self, parameters: object) -> str | None:
        """The setting's name; None where it is set for the session, or is none at all."""
        if isinstance(self.is_local, Bound) and self.is_local.within(parameters) is False:
            return None
        name = self.name.within(parameters) if isinstance(self.name, Bound) else self.name
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return None
        return None if name.lower() in _NO_SETTINGS else name.lower()


def mentions_in(sql: str, code: str) -> tuple[Mention, ...]:
    """What a statement sets until the end of its transaction.

    Args:
        sql: Its text.
        code: The same in lower case, without what stands in quotes, and without comments.
    """
    found: list[Mention] = []
    if _ANY_SET_LOCAL.search(code):
        found.extend(_from_set_local(sql))
    if "set_config" in code:
        found.extend(_from_set_config(sql))
    return tuple(found)


def _from_set_local(sql: str) -> Iterator[Mention]:
    for match in _SET_LOCAL.finditer(sql):
        written = " ".join(match["name"].lower().replace('"', "").split())
        yield Mention(_OTHER_NAMES.get(written, written.replace(" ", "")))


def _from_set_config(sql: str) -> Iterator[Mention]:
    for match in _SET_CONFIG.finditer(sql):
        if match["session"] is None:
            name = match["name"] if match["name"] is not None else _bound(match, "name")
            local = _bound(match, "local")
            if name is not None:
                yield Mention(name, is_local=True if local is None else local)


def _bound(match: re.Match[str], what: str) -> Bound | None:
    if match[f"{what}_number"]:
        return Bound(int(match[f"{what}_number"]) - 1)
    if match[f"{what}_key"]:
        return Bound(match[f"{what}_key"])
    if match[f"{what}_next"]:
        return Bound(match.string.count("%s", 0, match.start(f"{what}_next")))
    return None


def keep(name: str, *, key: str) -> str:
    """SQL that keeps the value of a setting, where none is kept under the key yet."""
    return (
        f"SELECT set_config('{key}', '=' || coalesce(current_setting('{name}', true), ''), true) "
        f"WHERE coalesce(current_setting('{key}', true), '') = ''"
    )


def restore(name: str, *, key: str) -> str:
    """SQL that sets what was kept; nothing where the keeping was undone, or nothing has the name.

    A setting of the application's own was unset before it was first set, and is empty then: as
    after a real transaction.
    """
    return (
        f"SELECT set_config('{name}', substr(kept, 2), true) "  # noqa: S608 - names, no values
        f"FROM current_setting('{key}', true) AS kept "
        f"WHERE kept <> '' AND current_setting('{name}', true) IS NOT NULL"
    )


def set_aside(name: str) -> str:
    """SQL that keeps a value for the length of one statement."""
    return (
        f"SELECT set_config('harness.aside_{_flat(name)}', current_setting('{name}', true), true)"
    )


def take_back(name: str) -> str:
    """SQL that ends what `set_aside` began."""
    return (
        f"SELECT set_config('{name}', current_setting('harness.aside_{_flat(name)}', true), true)"
    )


def _flat(name: str) -> str:
    return name.replace(".", "_")
