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
from pathlib import Path

import click
from sqlalchemy import URL

from harness.asgi.server import bound_socket, serve_on
from harness.config import Project, load_project
from harness.database.server import PostgresServer
from harness.database.sqlite import SqlitePlace
from harness.engine_plugin import with_pool
from harness.middleware import STATUS_PATH, Probe
from harness.provision import place_for
from harness.stage import Stage, staged

__all__ = ["serve"]

_GRACE_SECONDS = 3.0


@click.command
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Port; 0 takes a free one.",
)
@click.option("--pool-size", type=click.IntRange(0), help="Override pool_size.")
@click.option("--max-overflow", type=click.IntRange(-1), help="Override max_overflow.")
@click.option("--pool-timeout", type=click.FloatRange(0), help="Override pool_timeout, seconds.")
@click.option(
    "--database",
    metavar="NAME",
    help="Use this database of the server, or this file of SQLite, as it is.",
)
@click.option("--json", "as_json", is_flag=True, help="Announce as one line of JSON.")
@click.option("--owned", is_flag=True, hidden=True)
def serve(  # noqa: PLR0917 - one parameter per option
    host: str,
    port: int,
    pool_size: int | None,
    max_overflow: int | None,
    pool_timeout: float | None,
    database: str | None,
    as_json: bool,  # noqa: FBT001 - passed by name
    owned: bool,  # noqa: FBT001 - passed by name
) -> None:
    """Serve the configured application with the probe around it, on its own database.

    Reads [tool.harness]; makes a database, its tables and rows, and drops it at the end. The pool
    options reach the application's engine through its database URL.

    \b
    Example:
      harness serve --port 8000 --pool-size 2
    """
    if owned:
        _stop_with_owner()
    project = load_project()
    project.required_app()
    listener = bound_socket(host, port)
    token = project.configuration.token or secrets.token_urlsafe(24)
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
        serve_on(
            Probe(app, token=token),
            listener,
            ready=lambda: _announce(address, token, as_json=as_json),
        )


@contextmanager
def _stage(project: Project, database: str | None) -> Iterator[Stage]:
    server = place_for(project)
    try:
        if database is not None:
            yield Stage(project, server, _url_of(database, server))
        else:
            with staged(project, server) as stage:
                yield stage
    finally:
        server.close()


def _url_of(database: str, server: PostgresServer | SqlitePlace) -> URL:
    if isinstance(server, SqlitePlace):
        return server.url().set(database=str(Path(database).resolve()))
    return server.address.url(database)


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
