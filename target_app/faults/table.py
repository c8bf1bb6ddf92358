"""The faults as a Markdown document, one table per family.

A module of its own because it is the only one that writes for readers instead of serving;
`python -m target_app.faults` prints it.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from target_app.faults.catalogue import Fault

_INTRODUCTION = """\
# The planted faults

<!-- Generated: `python -m target_app.faults > docs/reference/faults.md` -->

With `TARGET_APP_FAULTS=true` the reference application serves each of these faults, and beside it
a healthy twin that takes the same request and gives the same answer: the path of the twin begins
with `/twins/` where that of the fault begins with `/faults/`. *n* is the number of rows that the
request asks for, where no two of them share a parent."""
_COLUMNS = ("request", "what it does", "what is noticed", "statements", "twin", "finding", "fix")


def as_markdown(faults: Sequence[Fault]) -> str:
    """Return the whole document; faults of one family must follow each other."""
    families = groupby(faults, key=lambda fault: fault.family)
    tables = (f"## {family}\n\n" + "\n".join(_table(members)) for family, members in families)
    return "\n\n".join((_INTRODUCTION, *tables)) + "\n"


def _table(faults: Iterator[Fault]) -> Iterator[str]:
    yield _row(_COLUMNS)
    yield _row("---" for _ in _COLUMNS)
    for fault in faults:
        growth = "n" if fault.per_row == 1 else f"{fault.per_row}n"
        statements = f"{fault.fixed} + {growth}" if fault.fixed else growth
        yield _row((
            f"`{fault.method} {fault.path}`",
            fault.cause,
            fault.symptom,
            statements,
            str(fault.of_twin),
            f"`{fault.kind}`",
            fault.fix,
        ))  # fmt: skip


def _row(cells: Iterator[str] | Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
