"""What one message of the logger ``sqlalchemy.engine.Engine`` says.

The words are SQLAlchemy's own, of 2.0 and 2.1; no other module spells them. An execution is two
messages: the SQL, then ``[how it was compiled] (parameters)``. The second is what counts it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "STATISTICS",
    "Boundary",
    "Kind",
    "Parameters",
    "Rows",
    "Said",
    "Sql",
    "is_sql_clause",
    "meaning_of",
    "parameters_of",
    "starts_like_sql",
]

_COMPILATION = (
    r"(?:generated\ in\ [\d.e+-]+s"
    r"|cached\ since\ [\d.e+-]+s\ ago"
    r"|no\ key\ [\d.e+-]+s"
    r"|caching\ disabled(?:\ \([^)]*\))?\ [\d.e+-]+s\ ?"
    r"|dialect\ \S+\ does\ not\ support\ caching\ [\d.e+-]+s"
    r"|unknown"
    r"|raw\ sql)"
)
STATISTICS = re.compile(
    rf"""
    \[(?: (?P<compilation>{_COMPILATION})
            (?:\ \(insertmanyvalues\)\ (?P<batch>\d+)/\d+\ \([^)]*\))?
        | insertmanyvalues\ (?P<later>\d+)/\d+\ \([^)]*\) )\]
    \ (?=[\[({{]|None|\Z) (?P<many>\[[\[({{])?
    """,
    re.VERBOSE,
)
"""``[generated in 0.00012s] (`` and its kin: the start of a message with parameters."""

_BOUNDARY = re.compile(
    r"""
    (?: (?P<begin>BEGIN)\ (?:\(implicit[^)]*\)|TWOPHASE\ \(implicit\))
    | (?P<commit>COMMIT)(?:\ using\ DBAPI\ connection\.commit\(\).*)?
    | (?P<rollback>ROLLBACK)
        (?:\ using\ DBAPI\ connection\.rollback\(\).*|\ will\ be\ skipped\ by\ .*)?
    )\s*\Z
    """,
    re.VERBOSE,
)
_ROWS = re.compile(
    r"Col \(|Row \(|CursorResult rewound (?:\d+|%d) row"
    r"|Compiled cache size pruning from (?:\d+|%d) items"
)
_VERBS = (
    "SELECT|INSERT|UPDATE|DELETE|WITH|MERGE|REPLACE|VALUES|TABLE|CALL|EXEC|EXECUTE|DO|CREATE|ALTER"
    "|DROP|TRUNCATE|COMMENT|GRANT|REVOKE|SET|RESET|SHOW|PRAGMA|EXPLAIN|ANALYZE|VACUUM|LOCK|COPY"
    "|DECLARE|FETCH|CLOSE|NOTIFY|LISTEN|UNLISTEN|REFRESH|REINDEX|ATTACH|DETACH|USE|BEGIN|COMMIT"
    "|ROLLBACK|SAVEPOINT|RELEASE|PREPARE|DESCRIBE|OPTIMIZE|KILL|START"
)
# In one case throughout: SQLAlchemy and people write SELECT or select; "Set up" starts a sentence.
_STATEMENT = re.compile(rf"(?:\(\s*)*(?:{_VERBS}|{_VERBS.lower()})(?![\w:.])|/\*|--\ ?\S")
_LONGEST_START = 200
_CLAUSES = (
    r"FROM|WHERE|AND|OR|(?:LEFT |RIGHT |FULL |INNER |CROSS |OUTER )*JOIN|ON|GROUP BY"
    r"|HAVING|ORDER BY|LIMIT|OFFSET|FETCH|FOR (?:UPDATE|SHARE|NO KEY|KEY)|RETURNING|VALUES|SET"
    r"|UNION|EXCEPT|INTERSECT|USING|WHEN|SELECT"
)
# Group names and escapes have no capitals here that `lower` would spoil.
_CLAUSE = re.compile(rf"\s*\)?\s*(?:{_CLAUSES}|{_CLAUSES.lower()})\b")


class Kind(StrEnum):
    """Which end of a transaction a message marks."""

    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Sql:
    """The text of a statement that is about to run; or, under a foreign logger, may be."""

    text: str
    is_certain: bool = True
    """False where nothing but the words says so: counted only if its parameters follow."""
    is_complete: bool = True
    """False where the reader had to cut it."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """A cursor execution: one round trip. The values themselves are never looked at."""

    is_raw: bool = False
    """Sent as the application wrote it, past SQLAlchemy's compiler."""
    batch: int = 0
    """Number of the batch of a bulk INSERT, from 1; 0 for everything else."""
    is_many: bool = False
    """Several sets of parameters (``executemany``), which the driver may send one by one."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """Begin or end of a transaction, told by the connection: no SQL of the application's."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows, columns (``echo="debug"``), remarks about the cache: evidence, but no statement."""


Said = Sql | Parameters | Boundary | Rows


def parameters_of(found: re.Match[str]) -> Parameters:
    """What the statistics before the parameters tell."""
    return Parameters(
        is_raw=found["compilation"] == "raw sql",
        batch=int(found["batch"] or found["later"] or 0),
        is_many=found["many"] is not None,
    )


def meaning_of(message: str, *, is_certain: bool = True) -> Said:
    """Tell the messages of the engine's logger apart.

    Args:
        message: Without prefix and tag.
        is_certain: Whether it is known to come from the engine's logger.
    """
    if found := STATISTICS.match(message):
        return parameters_of(found)
    if found := _BOUNDARY.match(message):
        return Boundary(Kind(str(found.lastgroup)))
    return Rows() if _ROWS.match(message) else Sql(message, is_certain=is_certain)


def starts_like_sql(text: str) -> bool:
    """Whether a text begins as one of the messages that `meaning_of` knows."""
    return bool(_STATEMENT.match(text) or STATISTICS.match(text) or _ROWS.match(text))


def is_sql_clause(text: str) -> bool:
    """Whether a text begins as a later line of a rendered statement does."""
    return _CLAUSE.match(text[:_LONGEST_START]) is not None
