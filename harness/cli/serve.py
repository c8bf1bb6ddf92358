"""``harness serve``: an application under uvicorn, with the probe around it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TextIO

import click
from sqlalchemy import URL

from harness.asgi.server import bound_socket, serve_on
from harness.cli.finite_range import FiniteRange
from harness.cli.serve_workers import MOST_WORKERS, stay_while_they_live, workers_on
from harness.config import Project, load_project
from harness.database.admin import MAINTENANCE_DATABASE
from harness.database.server import PostgresServer
from harness.database.sqlite import SqlitePlace
from harness.engine_plugin import with_echo
from harness.middleware import STATUS_PATH, Probe
from harness.pool_choice import PoolChoice
from harness.private_output import private_output
from harness.provision import place_for
from harness.served import Worker
from harness.stage import Stage, staged

__all__ = ["serve"]

_GRACE_SECONDS = 3.0
_LOOPBACK = "127.0.0.1"

_Announce = Callable[[str, str, Sequence[Worker]], None]


@click.command
@click.argument("app", required=False)
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
@click.option("--pool-timeout", type=FiniteRange(0), help="Override pool_timeout, seconds.")
@click.option(
    "--database",
    metavar="NAME",
    help="Use this database of the server, or this file of SQLite, as it is.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    default=1,
    show_default=True,
    help="Processes that serve, each with pools of its own.",
)
@click.option("--echo", is_flag=True, help="Have its engines log what they execute.")
@click.option("--json", "as_json", is_flag=True, help="Announce as one line of JSON.")
@click.option("--owned", is_flag=True, hidden=True)
@click.option("--fd", type=click.IntRange(0), hidden=True)
def serve(  # noqa: PLR0917 - one parameter per option
    app: str | None,
    host: str,
    port: int,
    pool_size: int | None,
    max_overflow: int | None,
    pool_timeout: float | None,
    database: str | None,
    workers: int,
    echo: bool,  # noqa: FBT001 - passed by name
    as_json: bool,  # noqa: FBT001 - passed by name
    owned: bool,  # noqa: FBT001 - passed by name
    fd: int | None,
) -> None:
    """Serve an application with the probe around it, on its own database.

    APP is "package.module:name"; default: the one of [tool.harness]. Whatever else stands there
    holds for either: a database is made, its tables and rows, and dropped at the end. The pool
    options and --echo reach the application's engine through its database URL.

    \b
    Example:
      harness serve shop.main:app --port 8000 --pool-size 2 --workers 2
    """
    with _until_owner_ends() if owned else nullcontext():
        project = load_project(options={"app": app})
        project.required_app()
        listener = bound_socket(host, port) if fd is None else socket.socket(fileno=fd)
        token = project.configuration.token or secrets.token_urlsafe(24)
        pool = PoolChoice(pool_size, max_overflow, pool_timeout)
        with listener, _stage(project, database) as stage:
            serving = _Serving(
                stage, listener, token, pool, is_prepared=database is not None, is_echoing=echo
            )
            announce = _told_as_json(private_output()) if as_json else _announce
            if workers > 1:
                serving.with_workers(workers, announce)
            else:
                serving.here(announce, has_siblings=fd is not None)


@dataclass(frozen=True, slots=True)
class _Serving:
    """What is served, and where."""

    stage: Stage
    listener: socket.socket
    token: str
    pool: PoolChoice
    is_prepared: bool
    """Whether tables and rows are there already, or nobody's to make."""
    is_echoing: bool = False

    def here(self, announce: _Announce, *, has_siblings: bool) -> None:
        """Serve in this process; beside others, also on a port that is its alone."""
        url = self.pool.applied_to(self.stage.url)
        app = replace(self.stage, url=with_echo(url) if self.is_echoing else url).load_app()
        if not self.is_prepared:
            self.stage.prepare()
        with ExitStack() as stack:
            own = stack.enter_context(bound_socket(_LOOPBACK, 0)) if has_siblings else None
            me = Worker(os.getpid(), _address(own or self.listener))
            serve_on(
                Probe(app, token=self.token, root=self.stage.project.root),
                self.listener,
                also=[own] if own is not None else [],
                ready=lambda: announce(_address(self.listener), self.token, [me]),
            )

    def with_workers(self, count: int, announce: _Announce) -> None:
        """Serve in processes of their own, and stay with them."""
        if not self.is_prepared:
            self.stage.load_app()  # metadata may be complete only then
            self.stage.prepare()
        with workers_on(
            self.listener,
            count=count,
            options=[
                self.stage.project.required_app(),
                *self.pool.options(),
                *("--database", self.stage.url.database or ""),
                *(["--echo"] if self.is_echoing else []),
            ],
            environment={"HARNESS_TOKEN": self.token, **_server_of(self.stage)},
        ) as workers:
            announce(_address(self.listener), self.token, list(workers))
            stay_while_they_live(workers)


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


def _server_of(stage: Stage) -> dict[str, str]:
    """Where a child finds the server that this process has started or found."""
    if isinstance(stage.server, SqlitePlace):
        return {}
    url = stage.server.address.url(MAINTENANCE_DATABASE)
    return {"HARNESS_POSTGRES": url.render_as_string(hide_password=False)}


def _address(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _told_as_json(output: TextIO) -> _Announce:
    def announce(address: str, _token: str, workers: Sequence[Worker]) -> None:
        processes = [asdict(worker) for worker in workers]
        told = {"url": address, "pid": os.getpid(), "workers": processes}
        print(json.dumps(told), file=output, flush=True)

    return announce


def _announce(address: str, token: str, workers: Sequence[Worker]) -> None:
    print(f"serving {address}  (Ctrl-C stops)")  # noqa: T201
    for worker in workers:
        of_whom = f" of process {worker.pid}" if len(workers) > 1 else ""
        print(  # noqa: T201
            f"status{of_whom}  curl -H 'Authorization: Bearer {token}' {worker.url}{STATUS_PATH}",
            flush=True,
        )


@contextmanager
def _until_owner_ends() -> Iterator[None]:
    """Stop the block when standard input ends: the owner is gone, however it went, or asks for it.

    Silently: whoever is told of an interruption is told by the owner, and once.
    """
    is_ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        is_ended.set()
        os.kill(os.getpid(), signal.SIGTERM)
        gone = threading.Event()
        gone.wait(_GRACE_SECONDS)
        os._exit(0)  # a blocked event loop would outlive its owner

    threading.Thread(target=wait, daemon=True, name="owner watch").start()
    try:
        yield
    except KeyboardInterrupt:
        if not is_ended.is_set():
            raise
