"""The edit that loads a relationship together with its parents, written into the line itself.

A line that holds one ``select(…)`` or one ``get(…)`` of the right class is shown as it should be.
Anything else is left to the person who reads: a wrong edit is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["eager_option", "edited"]

_QUERY = r"(?:\bselect|\bquery)\({entity}[,)]"
_GET = r"\bget(?:_one)?\({entity},"


def eager_option(path: Sequence[str], *, is_scalar: bool) -> str:
    """The loader option for a relationship.

    Args:
        path: From the class that the query selects: ``("User.posts", "Post.comments")``.
        is_scalar: Whether the last of them leads to one object, which a join brings along.
    """
    loaders = ["selectinload"] * (len(path) - 1) + ["joinedload" if is_scalar else "selectinload"]
    return ".".join(f"{loader}({step})" for loader, step in zip(loaders, path, strict=True))


def edited(code: str, *, entity: str | None, option: str) -> str | None:
    """The line with the option in it; None where only a person can write it."""
    if not entity:
        return None
    for pattern, edit in ((_QUERY, _with_options), (_GET, _with_argument)):
        starts = list(re.finditer(pattern.format(entity=re.escape(entity)), code))
        if len(starts) == 1:
            end = _closing(code, code.index("(", starts[0].start()))
            return edit(code, end, option) if end is not None else None
    return None


def _with_options(code: str, end: int, option: str) -> str:
    return f"{code[: end + 1]}.options({option}){code[end + 1 :]}"


def _with_argument(code: str, end: int, option: str) -> str | None:
    if "options=" in code:
        return None
    return f"{code[:end]}, options=[{option}]{code[end:]}"


def _closing(code: str, opening: int) -> int | None:
    """Where the parenthesis is closed that opens at a place; strings in between are skipped."""
    depth, quote = 0, ""
    for place in range(opening, len(code)):
        letter = code[place]
        if quote:
            quote = "" if letter == quote and code[place - 1] != "\\" else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "(":
            depth += 1
        elif letter == ")":
            depth -= 1
            if depth == 0:
                return place
    return None
