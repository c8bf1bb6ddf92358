"""Finds the keys again that writers have sent, by asking the application: one request a key.

For a database that is not ours to look into. The other way is `harness.rig.trouble.ledger`.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping

from harness.config import KEY
from harness.errors import UnreachableTargetError

__all__ = ["keys_by_get"]

_NOT_FOUND = frozenset({404, 410})
_ANSWER_SECONDS = 10.0


def keys_by_get(
    base_url: str, get: str, keys: Iterable[str], *, headers: Mapping[str, str] | None = None
) -> Counter[str]:
    """Ask the application itself for each key: one request a key.

    Args:
        base_url: ``"http://127.0.0.1:8000"``.
        get: As in `WriteRoute.get`.
        keys: Those that were sent.
        headers: To send with each request, such as an authorization.

    Raises:
        UnreachableTargetError: The application does not answer, or neither 2xx nor 404.
    """
    found: Counter[str] = Counter()
    for key in keys:
        answer = _answer_of(base_url + get.replace(KEY, urllib.parse.quote(key, safe="")), headers)
        found[key] += answer.count(json.dumps(key))
    return +found


def _answer_of(url: str, headers: Mapping[str, str] | None) -> str:
    request = urllib.request.Request(url, headers=dict(headers or {}))  # noqa: S310 - the user's own address
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - as above
            content: bytes = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            if error.code in _NOT_FOUND:
                return ""
            what = f"the application answers {error.code} when asked for a key"
            raise UnreachableTargetError(what, where=url) from error
    except OSError as error:
        what = f"the application does not answer when asked for a key: {error}"
        raise UnreachableTargetError(what, where=url) from error
    return content.decode(errors="replace")
