"""The faults as a Markdown document, one table per family.

A module of its own because it is the only one that writes for readers instead of serving;
`python -m target_app.faults` prints it.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from target_app.faults.catalogue import Fault, LoadFault, Workload

_INTRODUCTION = """\
# The planted faults

<!-- Generated: `python -m target_app.faults > docs/reference/faults.md` -->

With `TARGET_APP_FAULTS=true` the reference application serves each of these faults, and beside it
a healthy twin that takes the same request and gives the same answer: the path of the twin begins
with `/twins/` where that of the fault begins with `/faults/`. *n* is the number of rows that the
request asks for, where no two of them share a parent."""
_UNDER_LOAD = """\
## Under load

With `TARGET_APP_LOAD_FAULTS=true`, on PostgreSQL, it serves these too. A single request shows
little: what counts is what a request holds, or blocks, while others wait. `milliseconds` says how
long the slow part of a request takes, 5000 at most; no fault waits longer than that, or than the
pool's timeout. `leak`, `shared-session` and `pool-larger-than-server` leave the process, or the
server, worse than they found it until the application ends. Of the twins only those of
`runaway-query` can differ in their answer: 503, where that of the fault would come too late."""
_WORKLOADS = """\
## Known capacity

The same setting serves workloads that are no faults: their limit is known, so that a measurement of
it can be checked. `milliseconds` is 40 and `keys` is 8 unless the request says otherwise."""
_COLUMNS = ("request", "what it does", "what is noticed", "statements", "twin", "finding", "fix")
_LOAD_COLUMNS = ("request", "what it does", "what is noticed", "what can be counted", "fix")
_WORKLOAD_COLUMNS = ("request", "what it does", "limit")


def as_markdown(
    faults: Sequence[Fault], load_faults: Sequence[LoadFault], workloads: Sequence[Workload]
) -> str:
    """Return the whole document; faults of one family must follow each other."""
    families = groupby(faults, key=lambda fault: fault.family)
    load_families = groupby(load_faults, key=lambda fault: fault.family)
    parts = (
        _INTRODUCTION,
        *(f"## {family}\n\n" + "\n".join(_table(members)) for family, members in families),
        _UNDER_LOAD,
        *(
            f"## {family}\n\n" + "\n".join(_load_table(members))
            for family, members in load_families
        ),
        _WORKLOADS,
        "\n".join(_workload_table(workloads)),
    )
    return "\n\n".join(parts) + "\n"


def _table(faults: Iterator[Fault]) -> Iterator[str]:
    yield from _head(_COLUMNS)
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


def _load_table(faults: Iterator[LoadFault]) -> Iterator[str]:
    yield from _head(_LOAD_COLUMNS)
    for fault in faults:
        request = f"`{fault.method} {fault.path}`"
        yield _row((request, fault.cause, fault.symptom, fault.signal, fault.fix))


def _workload_table(workloads: Sequence[Workload]) -> Iterator[str]:
    yield from _head(_WORKLOAD_COLUMNS)
    for workload in workloads:
        yield _row((f"`GET {workload.path}`", workload.work, workload.limit))


def _head(columns: Sequence[str]) -> Iterator[str]:
    yield _row(columns)
    yield _row("---" for _ in columns)


def _row(cells: Iterator[str] | Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
