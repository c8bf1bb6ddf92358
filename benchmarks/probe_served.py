"""The measured half of `probe`: an application, served with or without the probe around it.

Served as `harness serve` does it: the same uvicorn with the same settings, and a probe that knows
the project's folder. Prints its address as JSON, tells its own CPU time under `CPU_PATH` and ends
with its standard input.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from harness.asgi.app import load_app
from harness.asgi.server import bound_socket, serve_on
from harness.capture.requests import ASGIApp, Receive, Scope, Send
from harness.middleware import Probe

__all__ = ["CPU_PATH"]

CPU_PATH = "/__cpu__"
_ROOT = Path(__file__).parents[1]


def main() -> None:
    """Serve what the environment names until standard input ends."""
    app: ASGIApp = load_app(os.environ["BENCHMARK_APP"], root=_ROOT, environment={})
    if os.environ["BENCHMARK_PROBE"] == "1":
        app = Probe(app, token="benchmark", root=_ROOT)  # noqa: S106 - nobody's secret
    threading.Thread(target=_stop_with_owner, daemon=True).start()
    listener = bound_socket("127.0.0.1", 0)
    told = {"url": f"http://127.0.0.1:{listener.getsockname()[1]}", "pid": os.getpid()}
    serve_on(_clocked(app), listener, ready=lambda: print(json.dumps(told), flush=True))


def _clocked(app: ASGIApp) -> ASGIApp:
    """Answers `CPU_PATH` in front of the probe, which would count the question as a request.

    The process reads its own clock: from outside, Linux tells CPU time in steps of 10 ms, which is
    as much as a turn of 100 requests differs with and without the probe.
    """

    async def clocked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != CPU_PATH:
            await app(scope, receive, send)
            return
        told = repr(time.process_time()).encode()
        length = (b"content-length", str(len(told)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": told})

    return clocked


def _stop_with_owner() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
