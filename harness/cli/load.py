"""``harness load``: load probes, each with a verdict, put together into one report."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from textwrap import fill
from typing import get_args

import click

from harness.campaign.probes import PROBES
from harness.campaign.scenario import CountBy, Scenario, Settings, packaged, scenarios_from
from harness.cli.answer import print_answer
from harness.cli.conducting import conducted
from harness.cli.finite_range import FiniteRange
from harness.cli.load_refusals import refuse_second_names, refuse_unused_options
from harness.cli.serve_workers import MOST_WORKERS
from harness.config import load_project
from harness.load.plan_file import read_plan
from harness.load.routes import Plan
from harness.load.sending_headers import headers_said

__all__ = ["load"]

_ALL = "campaign"
_NAMED = "harness.load.probe"
"""Where a context keeps the probe that its command line names."""
_TIME = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_MOST_SECONDS = 24 * 3600


def _list(context: click.Context, _parameter: click.Parameter, is_wanted: bool) -> None:  # noqa: FBT001 - click's
    if not is_wanted or context.resilient_parsing:
        return
    rows = [_row(name, _story(name)) for name in PROBES]
    print_answer("\n".join([*rows, _row(_ALL, "All of them, in this order."), ""]))
    context.exit()


def _row(name: str, told: str) -> str:
    return fill(told, 80, initial_indent=f"{name:<16}", subsequent_indent=" " * 16)


def _story(probe: str) -> str:
    """What its packaged traffic says of itself first; read, as its import would patch us."""
    told = ast.get_docstring(ast.parse(packaged(probe).file.read_text(encoding="utf-8"))) or ""
    return told.partition("\n\n")[0]


class _OfProbe(click.Command):
    """Its help begins with the story of the probe that is named beside ``--help``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note the name first: ``--help`` ends the reading, wherever it stands."""
        given = list(args)
        named, _, _ = self.make_parser(ctx).parse_args(list(args))
        ctx.meta[_NAMED] = named.get("name")
        left = super().parse_args(ctx, args)
        refuse_second_names(self, ctx, given)
        return left

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The probe's own paragraph, then what holds for all."""
        name = str(ctx.meta.get(_NAMED))
        if name in PROBES:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(f"{name}: {_story(name)}")
        super().format_help_text(ctx, formatter)


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
    return () if file is None else read_plan(file)


def _headers(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    return headers_said(texts, os.environ)


def _sizes(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(sorted({int(part) for part in text.split(",") if part.strip()}))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no list such as 1,2,4,8") from error
    if any(size < 1 for size in sizes):
        raise click.BadParameter("a pool has at least one connection")
    if text and not sizes:
        raise click.BadParameter(f"{text!r} is no list such as 1,2,4,8")
    return sizes


def _handed_over(text: str) -> list[Scenario]:
    """Locust's classes; none where it is not Locust who asks."""
    try:
        return scenarios_from(text, probes=PROBES) if text else []
    except (ValueError, LookupError, TypeError) as error:
        raise click.BadParameter(
            f"--scenarios is what locust hands over, and {text!r} is not: {error}"
        ) from error


@click.command(cls=_OfProbe)
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
@click.option(
    "--header",
    "headers",
    multiple=True,
    callback=_headers,
    metavar="'NAME: VALUE'",
    help="Send with each request, such as 'Authorization: Bearer …'.",
)
@click.option("--users", type=click.IntRange(1), help="How many at once; default: as it needs.")
@click.option(
    "--time",
    "seconds",
    callback=_seconds,
    help="Of each stretch, of a soak of all: 90s, 5m; default: as it needs.",
)
@click.option("--short", is_flag=True, help="The short form, for CI: fewer, shorter stretches.")
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
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
    help="For pool_sizing: pool sizes to try; default: those around the bend.",
)
@click.option(
    "--target-rate",
    type=FiniteRange(0, min_open=True),
    help="For pool_sizing: requests a second to serve; default: all it can.",
)
@click.option(
    "--replicas",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="For pool_sizing: replicas that share the server, with --workers each.",
)
@click.option(
    "--surge",
    type=FiniteRange(1),
    default=2.0,
    show_default=True,
    help="For pool_sizing: replicas at once while a deployment rolls.",
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
    headers: dict[str, str],
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
    """Run a load probe, or all of them (campaign), and judge what users, pool and server saw.

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
        headers=headers,
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
    own = _handed_over(scenarios)
    chosen = own or [packaged(each) for each in (PROBES if name == _ALL else [name])]
    refuse_unused_options(
        context,
        probes=[each.probe for each in chosen],
        host=host,
        locust_options=locust_options,
    )
    code = conducted(load_project(), chosen, settings, output=output, as_json=as_json)
    context.exit(code)
