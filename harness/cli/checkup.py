"""``harness checkup``: examine the configured application from every side, into one report."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
from rich.console import Console

from harness.checkup.examination import Watcher, examine
from harness.cli.progress import Progress
from harness.cli.report_files import ReportFiles, exit_code
from harness.config import load_project
from harness.report.content import Report
from harness.report.json import to_json
from harness.report.text import render_text

__all__ = ["checkup"]


@click.command
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("harness-report"),
    show_default=True,
    help="Folder for report.json and report.html.",
)
@click.option("--strict-allow", is_flag=True, help="Fail on an allowance that matches nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, not tables.")
@click.pass_context
def checkup(
    context: click.Context,
    output: Path,
    strict_allow: bool,  # noqa: FBT001 - passed by name
    as_json: bool,  # noqa: FBT001 - passed by name
) -> None:
    """Examine the configured application: SQL per endpoint, load, and an exhausted pool.

    Works on a PostgreSQL of its own; nothing else is touched. Exits with 0 when nothing is found
    that [[tool.harness.allow]] does not accept, 1 on findings, 2 on misuse, 3 when the
    environment lacks something or a measurement was not valid.

    \b
    Example:
      harness checkup --output harness-report
    """
    project = load_project()
    files = ReportFiles(output, "report")
    files.require()
    console = Console(stderr=as_json)
    with Progress(console).shown() as progress:
        watcher = Watcher(step=progress.step, detail=progress.detail)
        report = examine(project, is_strict_about_allowances=strict_allow, watcher=watcher)
    is_kept = files.tell(
        to_json(report),
        page=partial(_page, report),
        tables=partial(render_text, report),
        console=console,
        as_json=as_json,
    )
    context.exit(exit_code(report.verdict, is_kept=is_kept))


def _page(report: Report) -> str:
    from harness.report.html import to_html  # noqa: PLC0415 - loads matplotlib, for half a second

    return to_html(report)
