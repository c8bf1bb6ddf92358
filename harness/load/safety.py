"""Whom a load may hit, and for how long: a load test of somebody else is a denial of service.

Asked before the first request, and again before each run of the web UI, where anybody can type
another host into the form. Free of Locust.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from functools import cache
from urllib.parse import urlsplit

from harness.errors import MisuseError, UnreachableTargetError

__all__ = [
    "address_of",
    "is_this_machine",
    "require_answer",
    "require_own_target",
    "require_short_run",
    "unverified",
]

_CONNECT_SECONDS = 5
_SCHEMES = frozenset({"http", "https"})
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def address_of(host: str) -> tuple[str, int]:
    """Name and port that a URL leads to, where it names no port, too."""
    parts = urlsplit(host)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


@cache
def unverified() -> ssl.SSLContext:
    """TLS as Locust's FastHttpUser speaks it, made once: no certificates are loaded or checked.

    The target is the user's own, and often has no real one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def require_own_target(host: str, *, is_owned: bool) -> None:
    """Refuse a host that is neither this machine nor said to be the user's.

    Args:
        host: A URL.
        is_owned: Whether the user said so.

    Raises:
        MisuseError: If it is, or may be, somebody else's; or no such URL.
        UnreachableTargetError: If its name has no address.
    """
    name = _name_in(host)
    try:
        addresses = _addresses(name)
    except OSError as error:
        raise UnreachableTargetError(
            f"{name!r} has no address: {error}", where=host, remedy="look at the name in --host"
        ) from error
    if not is_owned and not _lead_back(addresses):
        raise MisuseError(
            f"{host} is not this machine: a load test there is a denial of service",
            remedy="give --i-own-this-target if it is yours to load",
        )


def is_this_machine(host: str) -> bool:
    """Whether every address of a URL's host leads back here."""
    try:
        return _lead_back(_addresses(urlsplit(host).hostname or ""))
    except OSError:
        return False  # a name without any address leads nowhere


def require_short_run(seconds: float | None, *, longest_seconds: float) -> None:
    """Refuse a run that is longer than allowed.

    Raises:
        MisuseError: If it is.
    """
    if seconds is not None and seconds > longest_seconds:
        raise MisuseError(
            f"a run of {seconds:.0f} s is longer than the {longest_seconds:.0f} s allowed",
            remedy="raise the limit with --longest (at most 24h), or shorten --run-time",
        )


def require_answer(host: str) -> None:
    """Make sure that somebody listens there.

    Raises:
        UnreachableTargetError: If nobody does.
    """
    try:
        socket.create_connection(address_of(host), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise UnreachableTargetError(
            f"nothing answers at {host}: {error}",
            remedy="start the application, or leave --host out to have it started",
        ) from error


def _name_in(host: str) -> str:
    """The name in a URL that can be loaded."""
    authority = (host.partition("://")[2] or host).partition("/")[0]
    if "@" in authority:
        raise MisuseError(
            "the URL of --host names a user, and would be told in errors and reports",
            remedy="leave name and password out: --header 'Authorization: Basic …' sends them",
        )
    try:
        parts = urlsplit(host)
        name = parts.hostname if parts.scheme in _SCHEMES and parts.port != 0 else None
    except ValueError:  # a port that is none, or a bracket that is not closed
        name = None
    if not name:
        raise MisuseError(
            f"{host!r} is no URL such as http://127.0.0.1:8000",
            remedy="give --host http or https, a name and, where needed, a port up to 65535",
        )
    return name


def _addresses(name: str) -> set[_Address]:
    try:
        found = socket.getaddrinfo(name, None) if name else []
    except UnicodeError as error:  # a label that is empty, or too long
        raise OSError(error) from error
    return {ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in found}


def _lead_back(addresses: set[_Address]) -> bool:
    return bool(addresses) and all(_is_loopback(address) for address in addresses)


def _is_loopback(address: _Address) -> bool:
    mapped = getattr(address, "ipv4_mapped", None) or address
    # A connection to 0.0.0.0 arrives at this machine.
    return bool(mapped.is_loopback or mapped.is_unspecified)
