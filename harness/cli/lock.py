"""``harness lock``: two query locks compared, several put together, one looked after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.answer import print_answer
from harness.cli.lock_input import LockInput, read_input, read_text
from harness.errors import ExitCode, LockError, MisuseError
from harness.lock.counts import QueryLock
from harness.lock.file import FILE_NAME, from_text, to_text, write
from harness.lock.merging import merged
from harness.lock.three_way import merged_onto

if TYPE_CHECKING:
    from harness.report.lock_content import LockDiff

__all__ = ["lock"]

_FILE = click.Path(path_type=Path)
_STANDARD_OUTPUT = Path("-")


@click.group
def lock() -> None:
    """Compare, merge and check query locks: the statements that endpoints may run.

    pytest --query-lock fills and holds the lock. See each verb's --help.

    \b
    Example:
      harness lock diff main.json branch.json
    """


@lock.command
@click.argument("before", type=_FILE)
@click.argument("after", type=_FILE)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="What to print.",
)
@click.pass_context
def diff(context: click.Context, before: Path, after: Path, form: str) -> None:
    """Tell which endpoints run more or fewer statements in AFTER than in BEFORE.

    Each is a query lock, or a JSON report of pytest --query-report=FILE.json. Exits with 1 where
    an endpoint that BEFORE has runs more, 0 otherwise, 2 on misuse, 3 where a file cannot be read
    as either or the two have no dialect in common.

    \b
    Example:
      harness lock diff main.json branch.json --format markdown
    """
    found = _difference(read_input(before), read_input(after))
    print_answer(_rendered(found, form))
    context.exit(ExitCode.FINDINGS if found.has_regressed else ExitCode.CLEAN)


@lock.command
@click.argument("files", type=_FILE, nargs=-1, required=True)
@click.option("-o", "--output", type=_FILE, required=True, help="Where to write it; '-' prints it.")
@click.option("--base", type=_FILE, help="What two files come from, for a merge driver of git.")
def merge(files: tuple[Path, ...], output: Path, base: Path | None) -> None:
    """Put query locks, or JSON reports of test runs, together: each count is the highest.

    The output may be one of the inputs; on an error nothing is written. With --base, what only one
    of two files changed is taken from that one, so that a lower count is not lost. Exits with 0, 2
    on misuse, 3 where a file cannot be read as a lock.

    \b
    Examples:
      harness lock merge shard-1.json shard-2.json -o all.json
      git config merge.query-lock.driver \\
        'harness lock merge --base %O %A %B -o %A'
    """
    locks = [read_input(file).lock for file in files]
    result = merged(*locks) if base is None else _merged_onto(base, locks)
    if output == _STANDARD_OUTPUT:
        print_answer(to_text(result))
    else:
        write(output, result)


@lock.command
@click.argument("files", type=_FILE, nargs=-1)
@click.option("--fix", is_flag=True, help="Write it in the form in which pytest writes it.")
@click.pass_context
def check(
    context: click.Context,
    files: tuple[Path, ...],
    fix: bool,  # noqa: FBT001 - passed by name
) -> None:
    """Read query-lock.json, or FILES, as pytest would: conflict markers, keys that come twice.

    Runs no test. Exits with 0, 1 where a lock is not in the form in which pytest writes it and
    --fix is not given, 2 on misuse, 3 where a file cannot be read as a lock.

    \b
    Example:
      harness lock check --fix
    """
    chosen = files or (Path(FILE_NAME),)
    # All are read before one is written: half of a fix is worse than none.
    locks = {file: from_text(read_text(file), where=str(file)) for file in chosen}
    crooked = [file for file in chosen if file.read_bytes() != to_text(locks[file]).encode()]
    for file in crooked:
        if fix:
            write(file, locks[file], is_form_kept=False)
        told = "written anew" if fix else "not as pytest writes it: harness lock check --fix"
        print_answer(f"{file}: {told}\n")
    context.exit(ExitCode.FINDINGS if crooked and not fix else ExitCode.CLEAN)


def _difference(before: LockInput, after: LockInput) -> LockDiff:
    # Imported on use: a pre-commit hook has click and no more.
    from harness.checks.regression import compared  # noqa: PLC0415
    from harness.report.lock_content import LockDiff  # noqa: PLC0415

    shared = before.lock.dialects.keys() & after.lock.dialects.keys()
    if not shared:
        raise LockError(
            f"nothing could be compared: {before.name} has counts of {_dialects(before.lock)}, "
            f"{after.name} of {_dialects(after.lock)}",
            remedy="Take both from test runs on the same kind of database.",
        )
    changes = compared(_only(before.lock, shared), _only(after.lock, shared))
    return LockDiff(before.name, after.name, tuple(sorted(shared)), changes, _notes(before, after))


def _dialects(counts: QueryLock) -> str:
    return ", ".join(sorted(counts.dialects)) or "no endpoint"


def _only(counts: QueryLock, dialects: set[str]) -> QueryLock:
    return QueryLock({name: counts.dialects[name] for name in dialects})


def _notes(before: LockInput, after: LockInput) -> tuple[str, ...]:
    alone = sorted(before.lock.dialects.keys() ^ after.lock.dialects.keys())
    notes = [f"{name} is in one of the two alone, and was not compared" for name in alone]
    notes += [
        f"{each.name} is not of a complete test run: {', '.join(each.gaps)}"
        for each in (before, after)
        if each.gaps
    ]
    return tuple(notes)


def _rendered(found: LockDiff, form: str) -> str:
    if form == "json":
        from harness.report.lock_json import lock_diff_to_json  # noqa: PLC0415 - see above

        return lock_diff_to_json(found)
    if form == "markdown":
        from harness.report.lock_markdown import lock_diff_as_markdown  # noqa: PLC0415 - see above

        return lock_diff_as_markdown(found)
    from harness.report.lock_text import lock_diff_as_text  # noqa: PLC0415 - see above

    return lock_diff_as_text(found)


def _merged_onto(base: Path, locks: list[QueryLock]) -> QueryLock:
    try:
        ours, theirs = locks
    except ValueError as error:
        raise MisuseError(
            f"--base is for two files, and there {'is' if len(locks) == 1 else 'are'} {len(locks)}"
        ) from error
    # git gives an empty file where both branches have added the lock.
    start = read_input(base).lock if read_text(base).strip() else QueryLock()
    return merged_onto(start, ours, theirs)
