"""Finds the keys again that writers have sent, by asking the application: one request a key.

For a database that is not ours to look into. The other way is `harness.rig.trouble.ledger`.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
from collections import Counter
from collections.abc import Iterable, Mapping
from string import punctuation

from harness.campaign.asking import FAILURES
from harness.config import KEY
from harness.errors import UnreachableTargetError
from harness.load.sending import NO_HEADERS, opened

__all__ = ["keys_by_get"]

_NOT_FOUND = frozenset({404, 410})
_ANSWER_SECONDS = 10.0


def keys_by_get(
    base_url: str, get: str, keys: Iterable[str], *, headers: Mapping[str, str] = NO_HEADERS
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
    route = urllib.parse.quote(get, safe=punctuation)
    for key in keys:
        path = route.replace(KEY, urllib.parse.quote(key, safe=""))
        answer = _answer_of(base_url + path, headers)
        found[key] += answer.count(json.dumps(key))
    return +found


def _answer_of(url: str, headers: Mapping[str, str]) -> str:
    try:
        with opened(url, wait_seconds=_ANSWER_SECONDS, headers=headers) as answer:
            content: bytes = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            if error.code in _NOT_FOUND:
                return ""
            what = f"the application answers {error.code} when asked for a key"
            raise UnreachableTargetError(what, where=url) from error
    except FAILURES as error:
        what = f"the application does not answer when asked for a key: {error}"
        raise UnreachableTargetError(what, where=url) from error
    return content.decode(errors="replace")
