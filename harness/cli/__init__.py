"""The ``harness`` command: one module per verb, imported when the verb is used."""

from __future__ import annotations

from importlib import import_module

import click

__all__ = ["command"]

_VERBS = ("checkup", "echo", "load", "lock", "scan", "serve")


class _Verbs(click.Group):
    """Imports a verb's module on use: a served child must not wait for a chart library."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _VERBS:
            return None
        verb = getattr(import_module(f"harness.cli.{cmd_name}"), cmd_name)
        return verb if isinstance(verb, click.Command) else None


@click.group(name="harness", cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fastapi-sqlalchemy-harness")
def command() -> None:
    """Test bench for FastAPI + SQLAlchemy.

    Finds N+1 queries with the line to edit, pools that run dry, connections that stay out.
    Reads [tool.harness] of the nearest pyproject.toml. Exit codes: 0 clean, 1 findings, 2 misuse,
    3 environment or inconclusive, 130 interrupted.

    \b
    Example:
      harness checkup
    """
