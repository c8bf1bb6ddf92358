"""The ``harness`` command: one module per verb."""

from __future__ import annotations

import typer

from harness.cli import checkup, serve

__all__ = ["command"]

command = typer.Typer(
    name="harness",
    help="Test bench for FastAPI + SQLAlchemy: N+1 with its line, pool and exhaustion probes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
checkup.add_to(command)
serve.add_to(command)
