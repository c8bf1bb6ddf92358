"""``harness scan``: which GET endpoint runs more statements the more rows there are."""

from __future__ import annotations

from fnmatch import fnmatchcase

import click
from rich.console import Console

from harness.cli.answer import print_answer
from harness.cli.progress import Progress
from harness.config import load_project
from harness.errors import ExitCode
from harness.findings import Verdict
from harness.report.scan_json import scan_to_json
from harness.report.scan_text import render_scan
from harness.scan.scanning import SIZES
from harness.scan.scanning import scan as scan_application

__all__ = ["scan"]

_EXIT_CODES = {
    Verdict.PASS: ExitCode.CLEAN,
    Verdict.FAIL: ExitCode.FINDINGS,
    Verdict.INCONCLUSIVE: ExitCode.ENVIRONMENT,
}
_FEWEST_SIZES = 2


def _sizes(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        sizes = sorted({int(part) for part in text.split(",")})
    except ValueError:
        sizes = []
    if len(sizes) < _FEWEST_SIZES or sizes[0] < 1:
        raise click.BadParameter("two or more numbers above zero, such as 2,3,10")
    return tuple(sizes)


@click.command
@click.option(
    "--at",
    "sizes",
    callback=_sizes,
    default=",".join(map(str, SIZES)),
    show_default=True,
    help="Rows for each table, one scan each; growth is fitted on the two largest.",
)
@click.option(
    "--only",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="Scan the routes that match, such as '/users*'; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, not tables.")
@click.pass_context
def scan(
    context: click.Context,
    sizes: tuple[int, ...],
    patterns: tuple[str, ...],
    as_json: bool,  # noqa: FBT001 - passed by name
) -> None:
    """Count the statements of every GET endpoint while the tables grow.

    Needs no test and no rows: every table is filled by its types, keys and conditions, at three
    sizes, on a PostgreSQL of its own. Names the statements that grow, with relationship, line and
    fix, and says what could not be measured and why. Put authentication under
    [tool.harness.overrides]. Exits with 0 when nothing is found that [[tool.harness.allow]] does
    not accept, 1 on findings, 2 on misuse, 3 when nothing could be measured.

    \b
    Example:
      harness scan --only '/users*'
    """
    project = load_project()
    console = Console(stderr=as_json)
    with Progress(console).shown() as progress:
        report = scan_application(
            project,
            progress=progress,
            sizes=sizes,
            is_wanted=lambda name: _matches(name, patterns),
        )
    if as_json:
        print_answer(scan_to_json(report))
    else:
        console.print()
        render_scan(report, console)
    context.exit(_EXIT_CODES[report.verdict])


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    route = name.partition(" ")[2]
    return not patterns or any(fnmatchcase(route, pattern) for pattern in patterns)
