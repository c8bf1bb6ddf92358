"""The user that writes, where nothing may get lost: each write has a key of its own.

What was sent and what it was answered is kept in the run (`LoadResult.writes`), for whoever then
looks into the database. A write is never sent twice: neither here, nor by the client, which repeats
idempotent methods alone.
"""

from __future__ import annotations

import json
import secrets
from typing import ClassVar

from locust.env import Environment

from harness.load import listeners
from harness.load.users import HarnessUser

__all__ = ["HarnessWriter"]

_KEY = "{key}"
_KEYS_BEGIN = "harness-"


class HarnessWriter(HarnessUser):
    """A user who writes, among other things. In runs of one process."""

    abstract = True
    most_writes: ClassVar[int] = 100_000
    """Of one run, 10 MB: beyond it nothing is written that could not be noted."""

    def __init__(self, environment: Environment) -> None:
        # After an exception that nobody caught uvicorn logs the traceback, which takes 10 ms and
        # more, and then closes the connection. What came on it meanwhile is gone without an answer;
        # clients repeat reads for that, and no write: 30 of a run were lost so [measured].
        self.default_headers = {**(self.default_headers or {}), "Connection": "close"}
        super().__init__(environment)
        options = environment.parsed_options
        self._keys_begin = (options.keys if options is not None else "") or _KEYS_BEGIN
        said = options.write if options is not None else ""
        self._said: dict[str, str] = json.loads(said) if said else {}

    def write(self, path: str = "", body: str = "", *, method: str = "POST") -> None:
        """Write something under a key that nobody else has.

        Args:
            path: Of the route; without one what ``--write`` says, and nothing if it says nothing.
            body: JSON with ``{key}`` where the key goes.
            method: Of the request.
        """
        if not path:
            said = self._said
            path, body, method = said.get("path", ""), said.get("body", ""), said.get("method", "")
        writes = listeners.session_of().run.writes
        if not path or len(writes) >= self.most_writes:
            return
        key = f"{self._keys_begin}{secrets.token_hex(6)}"
        # Before it is sent: the run may end, or this user, while the answer is on its way.
        writes[key] = None
        response = self.client.request(
            method,
            path,
            name=path.partition("?")[0],
            data=body.replace(_KEY, key),
            headers={"Content-Type": "application/json"},
        )
        writes[key] = response.status_code or None
