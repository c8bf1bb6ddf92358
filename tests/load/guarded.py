"""An application that answers nobody without an authorization, as most do; perhaps by TLS."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness import Probe
from harness.capture.requests import Receive, Scope, Send
from tests.servers import served_in_thread

__all__ = ["SECRET", "SELF_SIGNED", "TOKEN", "Guarded", "guarded"]

SECRET = "Bearer s3cret-of-the-user"
TOKEN = "token-of-the-probe"
SELF_SIGNED = Path(__file__).with_name("self_signed.pem")
"""Key and certificate in the name of nobody, for a hundred years."""
_DOCUMENT = json.dumps({"paths": {"/pages": {"get": {}}}}).encode()


@dataclass
class Guarded:
    """What it was asked for."""

    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and authorization of each request, but for those to the probe."""
    some: threading.Event = field(default_factory=threading.Event)
    """Set by the first request that is none for the document."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        given = dict(scope["headers"]).get(b"authorization", b"").decode()
        self.asked.append((scope["path"], given))
        while (await receive()).get("more_body"):
            pass
        status = 200 if given == SECRET else 401
        body = _DOCUMENT if scope["path"] == "/openapi.json" and status == 200 else b"{}"
        if scope["path"] != "/openapi.json":
            self.some.set()
        headers = [(b"content-type", b"application/json")]
        if not scope["path"].startswith("/stream"):
            headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    @property
    def refused(self) -> set[str]:
        """Paths that were asked for without the authorization."""
        return {path for path, given in self.asked if given != SECRET}


@contextmanager
def guarded(*, certificate: Path | None = None) -> Iterator[Guarded]:
    """It, with the probe around it."""
    told = Guarded()
    with served_in_thread(Probe(told, token=TOKEN), certificate=certificate) as url:
        told.url = url
        yield told
