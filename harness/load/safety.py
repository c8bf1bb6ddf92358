"""Whom a load may hit, and for how long: a load test of somebody else is a denial of service.

Asked before the first request, and again before each run of the web UI, where anybody can type
another host into the form. Free of Locust.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from harness.errors import MisuseError, UnreachableTargetError

__all__ = ["is_this_machine", "require_answer", "require_own_target", "require_short_run"]

_CONNECT_SECONDS = 5


def require_own_target(host: str, *, is_owned: bool) -> None:
    """Refuse a host that is neither this machine nor said to be the user's.

    Args:
        host: A URL.
        is_owned: Whether the user said so.

    Raises:
        MisuseError: If it is, or may be, somebody else's.
    """
    if not is_owned and not is_this_machine(host):
        raise MisuseError(
            f"{host} is not this machine: a load test there is a denial of service",
            remedy="give --i-own-this-target if it is yours to load",
        )


def is_this_machine(host: str) -> bool:
    """Whether every address of a URL's host leads back here."""
    return _leads_back(urlsplit(host).hostname or "")


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
    parts = urlsplit(host)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise UnreachableTargetError(
            f"nothing answers at {host}: {error}",
            remedy="start the application, or leave --host out to have it started",
        ) from error


def _leads_back(name: str) -> bool:
    """A name without any address leads nowhere."""
    try:
        found = socket.getaddrinfo(name, None) if name else []
    except OSError:
        return False
    addresses = {ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in found}
    return bool(addresses) and all(_is_loopback(address) for address in addresses)


def _is_loopback(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    mapped = getattr(address, "ipv4_mapped", None) or address
    # A connection to 0.0.0.0 arrives at this machine.
    return bool(mapped.is_loopback or mapped.is_unspecified)
