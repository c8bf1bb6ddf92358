"""A real server in a thread of the test's own process."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import uvicorn

from harness.asgi.server import bound_socket
from harness.capture.requests import ASGIApp

__all__ = ["served_in_thread"]


@contextmanager
def served_in_thread(app: ASGIApp, *, certificate: Path | None = None) -> Iterator[str]:
    """The address of an application under uvicorn on asyncio's own loop; with one, by TLS."""
    listener = bound_socket("127.0.0.1", 0)
    listener.listen()  # clients wait from here on, until it has started
    settings = uvicorn.Config(
        app, loop="asyncio", log_config=None, access_log=False, ssl_certfile=certificate
    )
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    with closing(listener):
        try:
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
