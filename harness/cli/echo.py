"""``harness echo``: count statements where nothing but ``echo=True`` can be switched on."""

from __future__ import annotations

import gzip
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import BinaryIO, cast

import click
from rich.console import Console

from harness.capture.echo.reader import EchoReader, bounded_lines
from harness.capture.echo.tallier import EchoTallier
from harness.capture.echo.tally import EchoTally
from harness.cli.answer import print_answer
from harness.errors import ExitCode, MisuseError, NoEchoError
from harness.report.echo import EchoLimit, echo_as_json, print_echo
from harness.report.quantities import counted, grouped

__all__ = ["echo"]

_LINES_BETWEEN_LOOKS = 500
_SECONDS_BETWEEN_SIGNS = 0.2


class _Pattern(click.ParamType[re.Pattern[str]]):
    """A regular expression with a group."""

    name = "regex"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> re.Pattern[str]:
        try:
            pattern = re.compile(str(value))
        except re.error as error:
            self.fail(f"{value!r} is no regular expression: {error}", param, ctx)
        if not pattern.groups:
            self.fail(f"{value!r} has no group: write ({value}) or name=(\\S+)", param, ctx)
        return pattern


@click.command
@click.argument(
    "file",
    default="-",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
)
@click.option(
    "--tag", type=_Pattern(), help="Regex whose group is a record's tag, e.g. 'req=(\\S+)'."
)
@click.option("--max-statements", type=click.IntRange(0), help="Fail above so many statements.")
@click.option(
    "--per",
    type=click.Choice(["tag", "transaction"]),
    help="What the budget is for.  [default: tag, if there are any]",
)
@click.option(
    "--top", type=click.IntRange(0), default=20, show_default=True, help="Rows per table; 0: all."
)
@click.option("--json", "as_json", is_flag=True, help="Print every number as JSON.")
@click.pass_context
def echo(  # noqa: PLR0917 - one parameter per option
    context: click.Context,
    file: Path,
    tag: re.Pattern[str] | None,
    max_statements: int | None,
    per: str | None,
    top: int,
    as_json: bool,  # noqa: FBT001 - passed by name
) -> None:
    """Count the statements in SQLAlchemy's echo log, from FILE or standard input.

    Reads what create_engine(..., echo=True) prints, whatever formatter, JSON or collector it went
    through; tags are logging_tokens. Exits with 0, with 1 above --max-statements, 2 on misuse, 3
    when no line of the echo arrived or the budget cannot be judged, 130 after Ctrl-C, which
    prints what is known so far.

    \b
    Example:
      kubectl logs -f deploy/shop | harness echo --max-statements 20
    """
    tallier = EchoTallier()
    reader = EchoReader(tallier, tag=tag)
    name = "standard input" if str(file) == "-" else str(file)
    is_interrupted = _read(file, reader, tallier)
    tally = tallier.tally(lines=reader.lines)
    if tally.messages == 0:
        raise _nothing_seen(tally, name)
    limit = None if max_statements is None else _limit(tally, max_statements, per)
    if as_json:
        print_answer(echo_as_json(tally, source=name, limit=limit))
    else:
        print_echo(tally, Console(), source=name, top=top or None, limit=limit)
    context.exit(ExitCode.INTERRUPTED if is_interrupted else _exit_code(limit))


def _read(file: Path, reader: EchoReader, tallier: EchoTallier) -> bool:
    """Read to the end; tells whether Ctrl-C was it."""
    try:
        with _opened(file) as stream, _progress(file, stream, tallier) as look:
            for number, line in enumerate(bounded_lines(stream)):
                reader.read(line)
                if number % _LINES_BETWEEN_LOOKS == 0:
                    look()
    except KeyboardInterrupt:
        return True
    except (OSError, EOFError, zlib.error) as error:
        raise MisuseError(f"cannot read {file}: {error}") from error
    finally:
        reader.finish()
    return False


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
    elif file.suffix == ".gz":
        with gzip.open(file) as unpacked:
            yield cast("BinaryIO", unpacked)
    else:
        with file.open("rb") as stream:
            yield stream


@contextmanager
def _progress(file: Path, stream: BinaryIO, tallier: EchoTallier) -> Iterator[Callable[[], None]]:
    """Show how far the reading is, on a terminal and nowhere else."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda: None
        return
    is_piped = str(file) == "-"
    size_bytes = 0 if is_piped or file.suffix == ".gz" else file.stat().st_size
    with ExitStack() as stack:
        status = stack.enter_context(console.status("reading"))
        shown_at = perf_counter()

        def look() -> None:
            nonlocal shown_at
            if perf_counter() - shown_at > _SECONDS_BETWEEN_SIGNS:
                shown_at = perf_counter()
                share = f"{stream.tell() / size_bytes:.0%}, " if size_bytes else ""
                status.update(f"{share}{counted(tallier.statements, 'statement')} so far")

        yield look


def _nothing_seen(tally: EchoTally, name: str) -> NoEchoError:
    return NoEchoError(
        f"no line of SQLAlchemy's echo among {counted(tally.lines, 'line')}",
        where=name,
        remedy="Turn it on with create_engine(url, echo=True), or with\n"
        'logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO) and a handler.',
    )


def _limit(tally: EchoTally, statements: int, per: str | None) -> EchoLimit:
    """Hold the counts against the budget: without `per` every tag, and what has none."""
    by_tag = [tally.by_tag] if per != "transaction" else []
    by_transaction, shared = [], 0
    if per != "tag":
        # A transaction is a part of its tag, so those of tags need no look of their own.
        is_untagged = bool(by_tag) and bool(tally.tags)
        by_transaction = [tally.by_transaction(is_untagged=is_untagged)]
        shared = tally.by_transaction(is_shared=True, is_untagged=is_untagged).most
    units = by_tag + by_transaction
    above = sum(each.above(statements) for each in units)
    checked = sum(each.count for each in units)
    doubt = "" if above else _doubt(checked, shared, statements, per)
    most = max(each.most for each in units)
    return EchoLimit(
        statements, per or ("tag" if tally.tags else "transaction"), checked, above, most, doubt
    )


def _doubt(checked: int, shared: int, statements: int, per: str | None) -> str:
    if shared > statements:
        return f"{grouped(shared)} ran while several transactions were open"
    if not checked and per is not None:
        return f"the log has no {per}"
    return ""


def _exit_code(limit: EchoLimit | None) -> ExitCode:
    if limit is None:
        return ExitCode.CLEAN
    if limit.above:
        return ExitCode.FINDINGS
    return ExitCode.ENVIRONMENT if limit.doubt else ExitCode.CLEAN
