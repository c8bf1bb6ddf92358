"""A request of our own to the target, sent as the generator sends its own. Free of Locust.

A module of its own because routes, statuses and keys are asked for in four places, and what one of
them could not reach while users could would be told as a fault of the target. Like Locust's
FastHttpUser it checks no certificate and asks no proxy, whatever the environment says.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from functools import cache
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPMessage,
    HTTPResponse,
    HTTPSConnection,
)
from string import punctuation
from types import MappingProxyType
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit

from harness.errors import MisuseError
from harness.load.safety import address_of, unverified

__all__ = [
    "NO_HEADERS",
    "NO_PLAN",
    "connection_to",
    "document_behind",
    "is_same_origin",
    "opened",
    "target_of",
]

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_ANSWER_SECONDS = 10.0
NO_PLAN = "give --plan FILE: a JSON list of [route, path]"
"""What to do where an application does not tell its routes."""
_REFUSED = frozenset({401, 403})
_NO_LEAVE = "give --header 'Authorization: Bearer …' with what it asks for, or --plan FILE"


def opened(
    url: str, *, wait_seconds: float, headers: Mapping[str, str] = NO_HEADERS
) -> HTTPResponse:
    """Send a GET, and follow where it leads; without the headers where that is another server.

    Args:
        url: With path and query.
        wait_seconds: For each of the steps to the answer, and for each part of it.
        headers: To send with it.

    Returns:
        The answer, for a ``with`` statement.

    Raises:
        HTTPError: It is none of 2xx; the error is the answer, too, and has to be closed.
        OSError: There is no connection, or no answer in time.
        HTTPException: What answers speaks no HTTP.
    """
    request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 - the user's own address
    answer: HTTPResponse = _opener().open(request, timeout=wait_seconds)
    return answer


def document_behind(url: str, headers: Mapping[str, str] = NO_HEADERS) -> Mapping[str, Any]:
    """The OpenAPI document of an application.

    Args:
        url: Where it answers.
        headers: To send along.

    Raises:
        MisuseError: There is none that can be read.
    """
    address = f"{url.rstrip('/')}/openapi.json"
    try:
        with opened(address, wait_seconds=_ANSWER_SECONDS, headers=headers) as answer:
            document = json.load(answer)
    except HTTPError as error:
        with error:  # it is the answer, too
            remedy = _NO_LEAVE if error.code in _REFUSED else NO_PLAN
            raise _unread(address, error, remedy) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _unread(address, error, NO_PLAN) from error
    if not isinstance(document, dict):
        raise _unread(address, "it is no object", NO_PLAN)
    return document


def connection_to(url: str, *, wait_seconds: float) -> HTTPConnection:
    """A connection that the first request opens, unless it is given a socket.

    Args:
        url: Of the application.
        wait_seconds: For each of the steps to an answer, and for each part of it.
    """
    # The port is named, or `HTTPConnection` would take the end of an IPv6 address for one. So is
    # the context, or each connection would load the machine's certificates: 20 to 43 ms, in which
    # no other user runs [measured].
    where = address_of(url)
    if urlsplit(url).scheme != "https":
        return HTTPConnection(*where, timeout=wait_seconds)
    return HTTPSConnection(*where, timeout=wait_seconds, context=unverified())


def target_of(url: str, path: str) -> str:
    """What a request has to name: the path below that of the application, as it can be sent.

    Args:
        url: Of the application.
        path: With the query, as in a plan; what is no ASCII is sent as browsers do.
    """
    return quote(urlsplit(url).path.rstrip("/") + path, safe=punctuation)


def is_same_origin(url: str, other: str) -> bool:
    """Whether two URLs lead to the same port by the same scheme; one that is none leads nowhere."""
    try:
        return _origin(url) == _origin(other)
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str, int]:
    return (urlsplit(url).scheme, *address_of(url))


def _unread(address: str, why: object, remedy: str) -> MisuseError:
    return MisuseError(f"no routes to request: {address} cannot be read ({why})", remedy=remedy)


@cache
def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=unverified()),
        _Redirects(),
    )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """By default a token would be sent on to wherever the answer leads."""

    def redirect_request(  # noqa: PLR0917 - urllib's
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None and not is_same_origin(req.full_url, newurl):
            made.headers.clear()
        return made
