"""A statement's shape: equal for two executions that differ in values only.

The text comes from SQLAlchemy's compiled form where there is one: before the expansion of IN
lists and of the batches of an INSERT, and free of comments that other tools append. Only raw SQL
needs its literals taken out here. What differs between drivers and between SQLAlchemy versions
(placeholders, casts, column aliases) is removed, so that a count learnt on one driver can be
compared with another's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

__all__ = ["Fingerprint", "fingerprint", "is_write", "value_rows"]

# One pass: a comment may hold a quote, and a string or a quoted name what looks like a comment.
_LEXEME = re.compile(
    r"""
    (?P<comment> /\*.*?\*/ | --[^\n]* )
    | (?P<name> "[^"]*" )
    | (?P<string> \b[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*'
        | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    """,
    re.VERBOSE | re.DOTALL,
)
_PLACEHOLDER = re.compile(
    r"""
    \$\d+ | %\(\w+\)s | %s | (?<![:\w]):\w+ | \? | __\[POSTCOMPILE_[^]]+\]
    """,
    re.VERBOSE,
)
_PLACEHOLDER_CAST = re.compile(
    r"""
    \?:: (?: TIME(?:STAMP)?(?:\(\d+\))?\ WITH(?:OUT)?\ TIME\ ZONE | DOUBLE\ PRECISION
        | (?:CHARACTER|BIT)\ VARYING | (?:\w+|"[^"]+")(?:\.(?:\w+|"[^"]+"))* )
    (?:\(\d+(?:,\s*\d+)?\))? (?:\[\])*
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.$\"])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w\"])")
_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)*\s*\)")
_LISTS = re.compile(r"\(\?\)(?:\s*,\s*\(\?\))+")
_ALIAS = re.compile(
    r"""
    (?P<cast> CAST\([^()]*\ AS\  )
    | (?P<column> (?:\w+|"[^"]+")\.(?:\w+|"[^"]+") )\ AS\ (?:\w+|"[^"]+")
    """,
    re.VERBOSE,
)
_WRITE = re.compile(
    r"""
    \s*(?:INSERT|UPDATE|DELETE|MERGE|REPLACE)\b
    | \s*WITH\b.*\b(?:INSERT\s+INTO|DELETE\s+FROM|MERGE\s+INTO|(?<!FOR\ )(?<!KEY\ )UPDATE)\b
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_SPACE = re.compile(r"\s+")
_LONGEST_REMEMBERED = 4096
_INNERMOST = re.compile(r"\([^()]*\)")
# An OFFSET alone has a LIMIT too: of ALL rows, or of the most that MySQL can count. Before 2012 SQL
# Server had to number the rows.
_BOUND = re.compile(
    r"""
    (?<!["\w.]) (?:
        LIMIT \b (?! \ ALL\b | \ \?,\ 18446744073709551615 )
        | FETCH\ (?:FIRST|NEXT) \b | SELECT\ (?:DISTINCT\ )?TOP \b | mssql_rn\ <=
    ) (?!")
    """,
    re.VERBOSE | re.IGNORECASE,
)
_VALUES = re.compile(r"\bVALUES\s*\(", re.IGNORECASE)
_NEXT_ROW = re.compile(r"\)\s*,\s*\(")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The shape of a statement."""

    id: str
    """Twelve hexadecimal digits, stable across drivers, processes and SQLAlchemy versions."""
    text: str
    """The shape as SQL, every value a ``?``."""

    @property
    def is_write(self) -> bool:
        """Whether it changes rows; a row lock does not."""
        return is_write(self.text)

    @property
    def is_limited(self) -> bool:
        """Whether the statement itself, not a query inside it, bounds its rows."""
        text, shorter = self.text, _INNERMOST.sub(" ", self.text)
        while text != shorter:
            text, shorter = shorter, _INNERMOST.sub(" ", shorter)
        return _BOUND.search(text) is not None


def fingerprint(sql: str, *, is_compiled: bool) -> Fingerprint:
    """Derive the shape of a statement.

    Args:
        sql: The compiled string, or the text that went to the driver.
        is_compiled: Whether SQLAlchemy rendered it; its literals are then part of the shape.
    """
    # Raw SQL may hold values, and a long INSERT is rarely seen twice: neither is remembered.
    is_worth_it = is_compiled and len(sql) <= _LONGEST_REMEMBERED
    return _remembered(sql) if is_worth_it else _derived(sql, is_compiled=is_compiled)


@lru_cache(maxsize=4096)
def _remembered(sql: str) -> Fingerprint:
    return _derived(sql, is_compiled=True)


def _derived(sql: str, *, is_compiled: bool) -> Fingerprint:
    text = _LEXEME.sub(_compiled_lexeme if is_compiled else _raw_lexeme, sql)
    text = _PLACEHOLDER.sub("?", text).replace("%%", "%")  # doubled in the format style
    text = _PLACEHOLDER_CAST.sub("?", text)
    if not is_compiled:
        text = _NUMBER.sub("?", text)
    text = _ALIAS.sub(lambda found: found["cast"] or found["column"], text)
    text = _LISTS.sub("(?)", _LIST.sub("(?)", text))
    text = _SPACE.sub(" ", text).strip()
    return Fingerprint(id=blake2b(text.encode(), digest_size=6).hexdigest(), text=text)


def is_write(sql: str) -> bool:
    """Whether SQL changes rows, also from within a WITH."""
    return _WRITE.match(sql) is not None


def value_rows(sql: str) -> int:
    """How many groups of values an INSERT has; 1 for any other statement."""
    found = _VALUES.search(sql)
    return 1 if found is None else 1 + len(_NEXT_ROW.findall(sql, found.end()))


def _compiled_lexeme(found: re.Match[str]) -> str:
    return " " if found["comment"] else found[0]


def _raw_lexeme(found: re.Match[str]) -> str:
    return "?" if found["string"] else _compiled_lexeme(found)
