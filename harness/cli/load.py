"""``harness load``: a packaged scenario, run by Locust in a process of its own."""

from __future__ import annotations

import ast
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path

import click

from harness.errors import ExitCode, MissingExtraError
from harness.served import owned_process

__all__ = ["load"]

_OUTPUT, _ERRORS = 1, 2
_SUFFIX = ".py"


def _scenarios() -> dict[str, Traversable]:
    folder = files("harness.load.scenarios")
    return {
        file.name.removesuffix(_SUFFIX): file
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(_SUFFIX) and not file.name.startswith("_")
    }


def _list(context: click.Context, _parameter: click.Parameter, is_wanted: bool) -> None:  # noqa: FBT001 - click's
    if not is_wanted or context.resilient_parsing:
        return
    for name, file in _scenarios().items():
        told = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        click.echo(f"{name:<16}{told.partition(chr(10))[0]}")
    context.exit()


@click.command
@click.argument("name")
@click.argument("locust_arguments", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--list",
    callback=_list,
    is_flag=True,
    is_eager=True,
    expose_value=False,
    help="List the scenarios.",
)
@click.option("--host", metavar="URL", help="Load this; default: serve the configured application.")
@click.option(
    "--users", type=click.IntRange(1), default=8, show_default=True, help="How many at once."
)
@click.option("--time", default="30s", show_default=True, help="How long, such as 90s or 5m.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, not tables.")
@click.pass_context
def load(  # noqa: PLR0917 - one parameter per option
    context: click.Context,
    name: str,
    locust_arguments: tuple[str, ...],
    host: str | None,
    users: int,
    time: str,
    as_json: bool,  # noqa: FBT001 - passed by name
) -> None:
    """Run a load scenario against an application, and judge what its users and its pool saw.

    Without --host the application of [tool.harness] is served on its own PostgreSQL. With one, set
    HARNESS_TOKEN to have the probe of the application asked. What follows -- goes to Locust. Exits
    with 0 when all is well, 1 on a failed verdict, 2 on misuse, 3 when nothing could be measured.

    \b
    Example:
      harness load browse --users 20 --time 1m -- --processes 2
    """
    scenario = _scenarios().get(name)
    if scenario is None:
        raise click.BadParameter(f"{name!r} is not one of {', '.join(_scenarios())}")
    options = ["--users", str(users), "--spawn-rate", str(min(users, 100)), "--run-time", time]
    if host:
        options += ["--host", host]
    with ExitStack() as stack:
        script = stack.enter_context(as_file(scenario))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="harness-")))
        result = folder / "result.json"
        written = ["--result", str(result)] if as_json else []
        command = _command(script, [*options, *written, *locust_arguments], as_json=as_json)
        code = _run(command, output_to=_ERRORS if as_json else _OUTPUT)
        if as_json and result.exists():
            click.echo(result.read_text(encoding="utf-8"))
    context.exit(code)


def _command(script: Path, options: Sequence[str], *, as_json: bool) -> list[str]:
    # Not imported: that would patch the sockets of this process.
    if find_spec("locust") is None:
        raise MissingExtraError(
            "a load needs 'locust', which is not installed",
            remedy="pip install 'fastapi-sqlalchemy-harness[load]'",
        )
    is_quiet = as_json or not sys.stdout.isatty()
    return [
        *(sys.executable, "-m", "locust", "-f", str(script), "--headless", "--owned"),
        *(["--only-summary"] if is_quiet else []),
        *options,
    ]


def _run(command: Sequence[str], *, output_to: int) -> int:
    """Run Locust to its end; Ctrl-C is passed on, and what Locust knows by then is still told."""
    with owned_process(command, environment={}, errors_to=_ERRORS, output_to=output_to) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            return ExitCode.INTERRUPTED
