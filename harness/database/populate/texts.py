"""Words for text columns, by what their names promise and by what conditions mostly ask for.

A response model validates what it reads: `email` must be an address, `url` a link, or the endpoint
answers 500 and shows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from uuid import UUID

from harness.database.populate.values import Form

__all__ = ["letters", "text_forms"]

_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
# By name: a shape with the row's number in it.
_BY_NAME = (
    (r"e_?mail", "user{0}@example.com"),
    (r"url|uri|link|href|website|homepage|avatar|image|photo|picture|logo|icon|thumbnail|webhook",
     "https://example.com/{0}"),
    (r"phone|mobile|(?:^|_)tel(?:$|_)|fax", "+4930{0:07d}"),
    (r"uuid|guid", "{1}"),
    (r"colou?r", "#{0:06x}"),
    (r"(?:^|_)ip(?:$|_)|ip_?addr", "10.0.0.{2}"),
    (r"time_?zone|(?:^|_)tz$", "UTC"),
    (r"currency", "EUR"),
    (r"country", "DE"),
    (r"locale|lang(?:uage)?(?:$|_)", "en"),
    (r"mime|content_?type|media_?type", "text/plain"),
    (r"(?:^|_)(?:date|day|birthday)$", "2024-01-01"),
    (r"slug|username|login|handle|nick", "{3}-{0}"),
    (r"version", "1.{0}.0"),
)  # fmt: skip
# Whatever a condition on a text may want; the server says which of them will do.
_SHAPES = (
    "user{0}@example.com",
    "https://example.com/{0}",
    "#{0:06x}",
    "{0}",
    "{0:04d}",
    "+4930{0:07d}",
    "{1}",
    "1.{0}.0",
    "2024-01-01",
    "12:00",
    "10.0.0.{2}",
    "/a/{0}",
    "a_{0}",
    "a-{0}",
    "A{0}",
    "EUR",
    "DE",
    "en",
    "en-GB",
    "UTC",
    "",
)


def text_forms(name: str, length: int | None, *, is_padded: bool) -> Iterator[Form]:
    """Ways to write a text column, all within its length.

    Args:
        name: Of the column, in lower case.
        length: Most characters; None where there is no limit.
        is_padded: Whether every value has this length, as `char(2)` has.
    """
    shape = next((shape for pattern, shape in _BY_NAME if re.search(pattern, name)), "{3} {0}")
    if not is_padded:
        yield from _shaped(shape, name, length)
    size = length or 8
    yield Form(lambda i: letters(i, min(size, 8)), is_distinct=True)
    yield Form(lambda i: letters(i, min(size, 8)).upper(), is_distinct=True)
    yield Form(lambda i: f"{i:0{size}d}"[-size:], is_distinct=True)
    for other in _SHAPES:
        yield from _shaped(other, name, length)
    for count in (1, 2, 3, 4, 6, 10, 16, 32, 40, 64, 128, 255):
        if length is None or count <= length:
            yield Form(_letters_of(count), is_distinct=count > 2)  # noqa: PLR2004 - 26 ** 2 rows


def letters(number: int, size: int) -> str:
    """The number in base 26, padded: ``aaab``."""
    word = ""
    for _ in range(size):
        number, digit = divmod(number, len(_ALPHABET))
        word = _ALPHABET[digit] + word
    return word


def _letters_of(count: int) -> Callable[[int], str]:
    return lambda i: letters(i, count)


def _shaped(shape: str, name: str, length: int | None) -> Iterator[Form]:
    word = re.sub(r"[^a-z0-9]+", "-" if "{3}-" in shape else " ", name).strip(" -") or "text"

    def make(number: int) -> str:
        return shape.format(number, UUID(int=number, version=4), number % 250 + 1, word)

    widest = make(9999)
    if length is not None and len(widest) > length:
        return
    yield Form(make, is_distinct=widest != make(9998))
