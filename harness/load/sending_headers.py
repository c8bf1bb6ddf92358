"""Headers of the user's own for the target, such as an authorization: said once, sent by all.

A module of its own because two command lines take them, and hand them on to processes of ours in an
environment variable: command lines are shown to everybody on the machine. Values are secrets: no
message repeats one. Free of Locust.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from harness.errors import MisuseError

__all__ = ["VARIABLE", "as_variable", "header_of", "headers_said", "overruled"]

VARIABLE = "HARNESS_HEADERS"
"""Of the environment: one header a line."""
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[ -~]+")
_NOT_OURS = {
    "content-length": "each request has its own",
    "transfer-encoding": "each request has its own",
    "accept-encoding": "Locust's clients send their own",
}
_EXAMPLE = "such as --header 'Authorization: Bearer eyJhbGciOi…'"


def header_of(text: str) -> tuple[str, str]:
    """Name and value of a header as it is given: ``Authorization: Bearer …``.

    Raises:
        MisuseError: It is none that could be sent; the message does not have its value.
    """
    name, colon, value = text.partition(":")
    value = value.strip(" ")
    if not colon:
        raise _is_none("there is no colon in it")
    if not name:
        raise _is_none("there is no name before the colon")
    if not _NAME.fullmatch(name):
        raise _is_none("what is before the colon is no name of a header")
    if not value:
        raise _is_none(f"{name} has no value: is it quoted, and the variable set?")
    if not _VALUE.fullmatch(value):
        raise _is_none(f"the value of {name} has characters other than those of printed ASCII")
    if name.lower() in _NOT_OURS:
        raise _is_none(f"{name} cannot be chosen: {_NOT_OURS[name.lower()]}")
    return name, value


def headers_said(texts: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """What a command line says, and else the environment.

    Args:
        texts: See `header_of`.
        environment: Which may have them in `VARIABLE`.

    Raises:
        MisuseError: One could not be sent, or is given twice.
    """
    there = [line for line in environment.get(VARIABLE, "").split("\n") if line.strip()]
    try:
        known = _each_once(there)
    except MisuseError as error:
        raise MisuseError(error.what, where=VARIABLE, remedy=error.remedy) from error
    return overruled(known, _each_once(texts))


def as_variable(headers: Mapping[str, str]) -> str:
    """What `VARIABLE` has to be for another process to send these."""
    return "\n".join(f"{name}: {value}" for name, value in headers.items())


def overruled(headers: Mapping[str, str], stronger: Mapping[str, str]) -> dict[str, str]:
    """Both together; of a name that both have, however it is written, the stronger one."""
    names = {name.lower() for name in stronger}
    return {name: value for name, value in headers.items() if name.lower() not in names} | dict(
        stronger
    )


def _each_once(texts: Iterable[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in map(header_of, texts):
        if name.lower() in map(str.lower, headers):
            raise _is_none(f"{name} is given twice")
        headers[name] = value
    return headers


def _is_none(why: str) -> MisuseError:
    return MisuseError(f"a header cannot be sent: {why}", remedy=_EXAMPLE)
