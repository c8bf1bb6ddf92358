"""Foreign text inside of Markdown: shown as it is, whatever is in it.

A module of its own because this is where a comment on a pull request is safe or not. Names of
endpoints, SQL and lines of code come from the application; in a comment of ours they must not
mention people, close our elements or break our tables.
"""

from __future__ import annotations

import html
import re

from harness.report.wording import single_line

__all__ = ["code", "fenced", "prose"]

# GitHub leaves alone what stands in <code>: mentions, numbers of issues, emoji. Markdown is read
# there all the same, and a character reference is never read as Markdown.
_READ_BY_MARKDOWN = {ord(letter): f"&#{ord(letter)};" for letter in "|`*_~[]\\@:#$"}
_TICKS = re.compile("`+")
_MENTION = re.compile("[@#]")


def code(text: str, *, most: int) -> str:
    """A name or a line of code of at most so many letters, for a sentence or a table's cell."""
    return f"<code>{_referenced(_shortened(text, most))}</code>"


def prose(text: str, *, most: int) -> str:
    """A sentence; where it would mention somebody, a blank without width keeps it from it."""
    return _referenced(_MENTION.sub("\\g<0>\u200b", _shortened(text, most)))


def _shortened(text: str, most: int) -> str:
    line = single_line(text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _referenced(line: str) -> str:
    return "".join(_READ_BY_MARKDOWN.get(ord(letter)) or html.escape(letter) for letter in line)


def fenced(lines: list[str], *, language: str) -> str:
    """A block of code; its fence is longer than any in it."""
    ticks = "`" * max([3, *(len(found) + 1 for line in lines for found in _TICKS.findall(line))])
    return "\n".join([f"{ticks}{language}", *lines, ticks])
