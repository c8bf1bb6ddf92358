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

__all__ = ["Fingerprint", "fingerprint"]

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
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The shape of a statement."""

    id: str
    """Twelve hexadecimal digits, stable across drivers, processes and SQLAlchemy versions."""
    text: str
    """The shape as SQL, every value a ``?``."""


@lru_cache(maxsize=4096)
def fingerprint(sql: str, *, is_compiled: bool) -> Fingerprint:
    """Derive the shape of a statement.

    Args:
        sql: The compiled string, or the text that went to the driver.
        is_compiled: Whether SQLAlchemy rendered it; its literals are then part of the shape.
    """
    text = _LEXEME.sub(_compiled_lexeme if is_compiled else _raw_lexeme, sql)
    text = _PLACEHOLDER.sub("?", text).replace("%%", "%")  # doubled in the format style
    text = _PLACEHOLDER_CAST.sub("?", text)
    if not is_compiled:
        text = _NUMBER.sub("?", text)
    text = _ALIAS.sub(lambda found: found["cast"] or found["column"], text)
    text = _LISTS.sub("(?)", _LIST.sub("(?)", text))
    text = _SPACE.sub(" ", text).strip()
    return Fingerprint(id=blake2b(text.encode(), digest_size=6).hexdigest(), text=text)


def _compiled_lexeme(found: re.Match[str]) -> str:
    return " " if found["comment"] else found[0]


def _raw_lexeme(found: re.Match[str]) -> str:
    return "?" if found["string"] else _compiled_lexeme(found)
