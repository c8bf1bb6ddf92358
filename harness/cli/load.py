"""``harness load``: load probes, each with a verdict, put together into one report."""

from __future__ import annotations

import ast
import json
import os
import re
from pathlib import Path

import click
from rich.console import Console

from harness.campaign.conduct import Campaign, campaign_ground
from harness.campaign.probes import PROBES
from harness.campaign.scenario import Scenario, Settings, packaged
from harness.cli.progress import Progress
from harness.cli.report_files import make_folder, write_report
from harness.config import Project, load_project
from harness.errors import ExitCode, MisuseError
from harness.findings import Verdict
from harness.load.routes import Plan
from harness.report.load_content import LoadReport
from harness.report.load_json import load_report_to_json
from harness.report.load_text import render_load_text

__all__ = ["load"]

_ALL = "campaign"
_TIME = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_EXIT_CODES = {Verdict.FAIL: ExitCode.FINDINGS, Verdict.INCONCLUSIVE: ExitCode.ENVIRONMENT}


def _list(context: click.Context, _parameter: click.Parameter, is_wanted: bool) -> None:  # noqa: FBT001 - click's
    if not is_wanted or context.resilient_parsing:
        return
    for name in PROBES:
        told = ast.get_docstring(ast.parse(_text(packaged(name)))) or ""
        click.echo(f"{name:<16}{told.partition(chr(10))[0]}")
    click.echo(f"{_ALL:<16}All of them, in this order.")
    context.exit()


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
    return float(total)


def _plan(_context: click.Context, _parameter: click.Parameter, file: Path | None) -> Plan:
    if file is None:
        return ()
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return tuple((str(name), str(path)) for name, path in rows)
    except (OSError, ValueError, TypeError) as error:
        raise click.BadParameter(f"{file} is no JSON list of [route, path]: {error}") from error


@click.command
@click.argument("name")
@click.argument("locust_options", nargs=-1, type=click.UNPROCESSED)
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
    host: str,
    users: int | None,
    seconds: float | None,
    short: bool,  # noqa: FBT001 - passed by name
    workers: int,
    plan: Plan,
    i_own_this_target: bool,  # noqa: FBT001 - passed by name
    output: Path,
    as_json: bool,  # noqa: FBT001 - passed by name
) -> None:
    """Hold a load probe, or all of them (campaign), and judge what users, pool and server saw.

    Without --host the application of [tool.harness] is served on its own PostgreSQL. With one, set
    HARNESS_TOKEN to have the probe of the application asked; what needs a server or a pool of our
    own is skipped. What follows -- goes to Locust. Exits with 0 when all is well, 1 on a failed
    verdict, 2 on misuse, 3 when nothing could be measured.

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
        locust_options=locust_options,
    )
    scenarios = [packaged(each) for each in (PROBES if name == _ALL else [name])]
    code = conducted(load_project(), scenarios, settings, output=output, as_json=as_json)
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
    campaign, is_interrupted = None, False
    try:
        with (
            Progress(console).shown() as progress,
            campaign_ground(
                project, settings, step=progress.step, detail=progress.detail
            ) as ground,
        ):
            campaign = Campaign(project, ground, scenarios)
            campaign.run()
    except KeyboardInterrupt:
        if campaign is None:
            raise
        is_interrupted = True
    if campaign is None:
        raise MisuseError("nothing was held")
    report = campaign.report()
    _told(report, console, output=output, as_json=as_json)
    if is_interrupted:
        return ExitCode.INTERRUPTED
    return _EXIT_CODES.get(report.verdict, ExitCode.CLEAN)


def _told(report: LoadReport, console: Console, *, output: Path, as_json: bool) -> None:
    from harness.report.load_html import load_report_to_html  # noqa: PLC0415 - loads matplotlib

    text = load_report_to_json(report)
    write_report(output, {"load.json": text, "load.html": load_report_to_html(report)})
    if as_json:
        click.echo(text)
        return
    console.print()
    render_load_text(report, console)
    console.print(f"\nreport  {output / 'load.html'}  {output / 'load.json'}", style="dim")
