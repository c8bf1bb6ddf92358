"""``harness serve``: the configured application under uvicorn, with the probe around it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from harness.asgi.server import bound_socket, serve
from harness.config import Project, load_project
from harness.database.search import find_server
from harness.engine_plugin import with_pool
from harness.middleware import STATUS_PATH, Probe
from harness.stage import Stage, staged

__all__ = ["add_to"]

_GRACE_SECONDS = 3.0


def add_to(command: typer.Typer) -> None:
    """Add the verb to the command."""
    command.command("serve", epilog="Example:  harness serve --port 8000 --pool-size 2")(_serve)


def _serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 0,
    pool_size: Annotated[int | None, typer.Option(min=0, help="Override pool_size.")] = None,
    max_overflow: Annotated[int | None, typer.Option(min=-1, help="Override max_overflow.")] = None,
    pool_timeout: Annotated[
        float | None, typer.Option(min=0, help="Override pool_timeout, in seconds.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="Use this database of the server as it is.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Announce as one JSON line.")] = False,
    owned: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Serve the configured application with the probe around it, on a PostgreSQL of its own.

    Reads [tool.harness]; makes a database, its tables and rows, and drops it at the end. The pool
    options reach the application's engine through its database URL.
    """
    if owned:
        _stop_with_owner()
    project = load_project()
    project.required_app()
    listener = bound_socket(host, port)
    token = os.environ.get("HARNESS_TOKEN") or secrets.token_urlsafe(24)
    address = f"http://{host}:{listener.getsockname()[1]}"
    with _stage(project, database) as stage:
        pooled = Stage(
            project,
            stage.server,
            with_pool(
                stage.url,
                pool_size=pool_size,
                max_overflow=max_overflow,
                pool_timeout=pool_timeout,
            ),
        )
        app = pooled.load_app()
        if database is None:
            stage.prepare()
        serve(
            Probe(app, token=token),
            listener,
            ready=lambda: _announce(address, token, as_json=as_json),
        )


@contextmanager
def _stage(project: Project, database: str | None) -> Iterator[Stage]:
    server = find_server(project.configuration.postgres)
    try:
        if database is not None:
            yield Stage(project, server, server.address.url(database))
        else:
            with staged(project, server) as stage:
                yield stage
    finally:
        server.close()


def _announce(address: str, token: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"url": address, "pid": os.getpid()}), flush=True)  # noqa: T201
        return
    print(f"serving {address}  (Ctrl-C stops)")  # noqa: T201
    print(f"status  curl -H 'Authorization: Bearer {token}' {address}{STATUS_PATH}", flush=True)  # noqa: T201


def _stop_with_owner() -> None:
    """Stop when standard input ends: the owner is gone, however it went."""

    def wait() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGTERM)
        gone = threading.Event()
        gone.wait(_GRACE_SECONDS)
        os._exit(0)  # a blocked event loop would outlive its owner

    threading.Thread(target=wait, daemon=True, name="owner watch").start()
