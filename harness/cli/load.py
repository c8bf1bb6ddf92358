"""``harness load``: load probes, each with a verdict, put together into one report."""

from __future__ import annotations

import ast
import json
import os
import re
from pathlib import Path
from textwrap import fill
from typing import get_args

import click
from rich.console import Console

from harness.campaign.conduct import Campaign, campaign_ground
from harness.campaign.probes import PROBES
from harness.campaign.scenario import CountBy, Scenario, Settings, packaged, scenarios_from
from harness.cli.progress import Progress
from harness.cli.report_files import make_folder, write_report
from harness.config import Project, load_project
from harness.errors import ExitCode
from harness.findings import Verdict
from harness.load.routes import Plan
from harness.report.load_content import LoadReport
from harness.report.load_json import load_report_to_json
from harness.report.load_text import render_load_text

__all__ = ["load"]

_ALL = "campaign"
_TIME = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_MOST_SECONDS = 24 * 3600
_EXIT_CODES = {Verdict.FAIL: ExitCode.FINDINGS, Verdict.INCONCLUSIVE: ExitCode.ENVIRONMENT}


def _list(context: click.Context, _parameter: click.Parameter, is_wanted: bool) -> None:  # noqa: FBT001 - click's
    if not is_wanted or context.resilient_parsing:
        return
    for name in PROBES:
        told = ast.get_docstring(ast.parse(_text(packaged(name)))) or ""
        click.echo(_row(name, told.partition("\n\n")[0]))
    click.echo(_row(_ALL, "All of them, in this order."))
    context.exit()


def _row(name: str, told: str) -> str:
    return fill(told, 80, initial_indent=f"{name:<16}", subsequent_indent=" " * 16)


def _text(scenario: Scenario) -> str:
    return scenario.file.read_text(encoding="utf-8")


def _seconds(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> float | None:
    if text is None:
        return None
    found = _TIME.fullmatch(text)
    hours, minutes, seconds = (int(part or 0) for part in (found.groups() if found else (0, 0, 0)))
    total = hours * 3600 + minutes * 60 + seconds
    if not total:
        raise click.BadParameter(f"{text!r} is no time such as 90s, 5m or 1h30m")
    if total > _MOST_SECONDS:
        raise click.BadParameter(f"{text!r} is longer than the 24h that are allowed")
    return float(total)


def _plan(_context: click.Context, _parameter: click.Parameter, file: Path | None) -> Plan:
    if file is None:
        return ()
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return tuple((str(name), str(path)) for name, path in rows)
    except (OSError, ValueError, TypeError) as error:
        raise click.BadParameter(f"{file} is no JSON list of [route, path]: {error}") from error


def _sizes(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(sorted({int(part) for part in text.split(",") if part.strip()}))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no list such as 1,2,4,8") from error
    if any(size < 1 for size in sizes):
        raise click.BadParameter("a pool has at least one connection")
    return sizes


@click.command
@click.argument("name")
@click.argument("locust_options", nargs=-1, type=click.UNPROCESSED)
@click.option("--scenarios", default="", hidden=True, help="Of Locust, which hands over with it.")
@click.option(
    "--list",
    callback=_list,
    is_flag=True,
    is_eager=True,
    expose_value=False,
    help="List the probes.",
)
@click.option("--host", metavar="URL", default="", help="Load this; default: serve the app.")
@click.option("--users", type=click.IntRange(1), help="How many at once; default: as it needs.")
@click.option(
    "--time",
    "seconds",
    callback=_seconds,
    help="Of each stretch: 90s, 5m; default: as it needs.",
)
@click.option("--short", is_flag=True, help="The short form, for CI: fewer, shorter stretches.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes to serve with.",
)
@click.option(
    "--plan",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_plan,
    help="JSON list of [route, path] to request; default: what OpenAPI tells.",
)
@click.option(
    "--count-by",
    type=click.Choice(get_args(CountBy)),
    default="events",
    show_default=True,
    help="Who counts for n_plus_one: the probe, pg_stat_statements, or the log of echo=True.",
)
@click.option(
    "--echo-log",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the application behind --host writes its echo log.",
)
@click.option(
    "--sizes",
    default="",
    callback=_sizes,
    metavar="1,2,4",
    help="Pool sizes to try; default: those around the bend.",
)
@click.option(
    "--target-rate",
    type=click.FloatRange(0, min_open=True),
    help="Requests a second to serve; default: all it can.",
)
@click.option(
    "--replicas",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="That share the server, with --workers each.",
)
@click.option(
    "--surge",
    type=click.FloatRange(1),
    default=2.0,
    show_default=True,
    help="Replicas at once while a deployment rolls.",
)
@click.option("--i-own-this-target", is_flag=True, help="Allow a host that is not this machine.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("harness-report"),
    show_default=True,
    help="Folder for load.json and load.html.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, not tables.")
@click.pass_context
def load(  # noqa: PLR0917 - one parameter per option
    context: click.Context,
    name: str,
    locust_options: tuple[str, ...],
    scenarios: str,
    host: str,
    users: int | None,
    seconds: float | None,
    short: bool,  # noqa: FBT001 - passed by name
    workers: int,
    plan: Plan,
    count_by: CountBy,
    echo_log: Path | None,
    sizes: tuple[int, ...],
    target_rate: float | None,
    replicas: int,
    surge: float,
    i_own_this_target: bool,  # noqa: FBT001 - passed by name
    output: Path,
    as_json: bool,  # noqa: FBT001 - passed by name
) -> None:
    """Hold a load probe, or all of them (campaign), and judge what users, pool and server saw.

    Without --host the application of [tool.harness] is served on its own PostgreSQL. With one, set
    HARNESS_TOKEN to have the probe of the application asked; what needs a server or a pool of our
    own is skipped. What follows -- goes to Locust. Exits with 0 when all is well, 1 on a failed
    verdict, 2 on misuse, 3 when something could not be measured, 130 when interrupted; then what
    is known so far is told.

    \b
    Example:
      harness load pool_sizing --users 32 --time 5s
    """
    if name not in {*PROBES, _ALL}:
        raise click.BadParameter(f"{name!r} is not one of {', '.join((*PROBES, _ALL))}")
    settings = Settings(
        host=host,
        token=os.environ.get("HARNESS_TOKEN", ""),
        is_owned_target=i_own_this_target,
        users=users,
        seconds=seconds,
        is_short=short,
        workers=workers,
        plan=plan,
        count_by=count_by,
        echo_log=echo_log,
        locust_options=locust_options,
        sizes=sizes,
        target_rate=target_rate,
        replicas=replicas,
        surge=surge,
    )
    own = scenarios_from(scenarios, probes=PROBES) if scenarios else []
    chosen = own or [packaged(each) for each in (PROBES if name == _ALL else [name])]
    code = conducted(load_project(), chosen, settings, output=output, as_json=as_json)
    context.exit(code)


def conducted(
    project: Project,
    scenarios: list[Scenario],
    settings: Settings,
    *,
    output: Path,
    as_json: bool,
) -> ExitCode:
    """Hold the probes, write and print the report.

    Args:
        project: With the application and the allowances.
        scenarios: In the order in which they are held.
        settings: What the user said.
        output: Folder for the report.
        as_json: Whether to print JSON, not tables.

    Returns:
        The exit code; after Ctrl-C, too, with what was known by then.
    """
    make_folder(output)
    console = Console(stderr=True) if as_json else Console()
    campaign = None
    try:
        with (
            Progress(console).shown() as progress,
            campaign_ground(
                project, settings, step=progress.step, detail=progress.detail
            ) as ground,
        ):
            campaign = Campaign(project, ground, scenarios)
            campaign.run()
    except BaseException as error:
        if campaign is None:
            raise
        _told(campaign.report(), console, output=output, as_json=as_json)
        if not isinstance(error, KeyboardInterrupt):
            raise
        return ExitCode.INTERRUPTED
    report = campaign.report()
    _told(report, console, output=output, as_json=as_json)
    return _EXIT_CODES.get(report.verdict, ExitCode.CLEAN)


def _told(report: LoadReport, console: Console, *, output: Path, as_json: bool) -> None:
    """On the screen first: a page with charts takes a second, in which Ctrl-C may come."""
    text = load_report_to_json(report)
    if as_json:
        click.echo(text)
    else:
        console.print()
        render_load_text(report, console)
    from harness.report.load_html import load_report_to_html  # noqa: PLC0415 - loads matplotlib

    write_report(output, {"load.json": text, "load.html": load_report_to_html(report)})
    if not as_json:
        files = f"{output / 'load.html'}  {output / 'load.json'}"
        console.print(f"\nreport  {files}", style="dim")
