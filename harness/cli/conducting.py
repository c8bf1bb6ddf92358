"""A campaign at a terminal: held with its progress shown, told in the end, whatever ends it.

Apart from `load`, which is what may be said on the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from harness.campaign.conduct import Campaign, campaign_ground
from harness.campaign.scenario import Scenario, Settings
from harness.cli.progress import Progress
from harness.cli.report_files import ReportFiles, exit_code
from harness.cli.screen import complain
from harness.config import Project
from harness.errors import ExitCode
from harness.report.load_content import LoadReport
from harness.report.load_json import load_report_to_json
from harness.report.load_text import render_load_text

__all__ = ["conducted"]


def conducted(
    project: Project,
    scenarios: Sequence[Scenario],
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
    files = ReportFiles(output, "load")
    files.require()
    console = Console(stderr=as_json)
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
        try:
            _told(campaign.report(), files, console, as_json=as_json)
        except Exception as broken:  # noqa: BLE001 - what ended the campaign is told in its place
            complain(f"what is known so far cannot be told: {broken!r}")
        if not isinstance(error, KeyboardInterrupt):
            raise
        return ExitCode.INTERRUPTED
    report = campaign.report()
    is_kept = _told(report, files, console, as_json=as_json)
    return exit_code(report.verdict, is_kept=is_kept)


def _told(report: LoadReport, files: ReportFiles, console: Console, *, as_json: bool) -> bool:
    """Whether it is in its file."""

    def page() -> str:
        from harness.report.load_html import load_report_to_html  # noqa: PLC0415 - loads matplotlib

        return load_report_to_html(report)

    return files.tell(
        load_report_to_json(report),
        page=page,
        tables=partial(render_load_text, report),
        console=console,
        as_json=as_json,
    )
