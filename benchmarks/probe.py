"""What the probe costs a served application: CPU of the server per request.

uvicorn in processes of its own, one with the probe and one without, in pairs
and in turn; new ones for each pair, because where two processes lie in memory
makes one of them faster for good. Three kinds of request, all on asyncpg:

  browse  the steady mix of this repository's load tests, on the reference
          application
  row     a row by its key, which is as little as an endpoint can do
  page    20 authors with their books: two statements and a response model

The client's work is not counted. Target: the median of the pairs' ratios is
at most 3 % above one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial

from benchmarks.commandline import (
    load,
    machine,
    parser_of,
    run_to_its_end,
    running_server,
    write_json,
)
from benchmarks.probe_kinds import KINDS, Place
from benchmarks.probe_report import Pair, lines, overheads
from benchmarks.probe_turns import cpu_seconds, served
from benchmarks.rounds import Progress

__all__ = ["main"]

_EXAMPLE = """example:
  python benchmarks/probe.py --rounds 20 --kind browse --json probe.json
"""
_ROUNDS, _TURNS = 10, 12
"""Pairs of processes, and turns of each in a pair: short ones, a busy machine changes its pace."""
_REQUESTS = 100
_WARM_UP_TURNS = 8
"""As many as it takes until the probe has noted the lines of the rarest route's first checkouts."""
_QUICK_TURNS, _QUICK_REQUESTS = 2, 20


@dataclass(frozen=True, slots=True)
class _Measured:
    """A kind of request, ready to be measured."""

    name: str
    place: Place
    paths: Sequence[str]
    """Of a turn, and of the turn that warms up."""


def main() -> int:
    """Measure and print."""
    parser = parser_of(__doc__ or "", example=_EXAMPLE)
    parser.add_argument(
        "--kind",
        action="append",
        choices=[kind.name for kind in KINDS],
        help="measure only this kind of request; may be given more than once (default: all)",
    )
    return run_to_its_end(partial(_program, parser.parse_args()))


def _program(options: argparse.Namespace) -> None:
    rounds = 1 if options.quick else options.rounds or _ROUNDS
    turns = _QUICK_TURNS if options.quick else _TURNS
    requests = _QUICK_REQUESTS if options.quick else _REQUESTS
    with running_server(options.postgres) as server, ExitStack() as stack:
        print(machine(server))
        measured = [
            _Measured(kind.name, stack.enter_context(kind.place(server)), kind.paths(requests))
            for kind in KINDS
            if not options.kind or kind.name in options.kind
        ]
        pairs = list(_pairs(measured, rounds=rounds, turns=turns, progress=Progress()))
        for line in lines(pairs):
            print(line)
        print(load("at the end"))
        figures = {"pairs": [asdict(pair) for pair in pairs], "overhead": overheads(pairs)}
        write_json(options.json, server, figures)


def _pairs(
    measured: Sequence[_Measured], *, rounds: int, turns: int, progress: Progress
) -> Iterator[Pair]:
    for number in range(rounds):
        progress.note(f"pair {number + 1} of {rounds}")
        for kind in measured:
            progress.show(f"pair {number + 1} of {rounds}: {kind.name}")
            yield _pair(kind, number, turns=turns)
    progress.clear()


def _pair(kind: _Measured, number: int, *, turns: int) -> Pair:
    order = (True, False) if number % 2 else (False, True)
    spent: dict[bool, list[float]] = {True: [], False: []}
    with ExitStack() as stack:
        addresses = {
            is_probed: stack.enter_context(
                served(kind.place, is_probed=is_probed, hash_seed=number)
            )
            for is_probed in order
        }
        for address in addresses.values():
            for _ in range(_WARM_UP_TURNS if turns > _WARM_UP_TURNS else 1):
                cpu_seconds(address, kind.paths)
        for _ in range(turns):
            for is_probed in order:
                spent[is_probed].append(cpu_seconds(addresses[is_probed], kind.paths))
    return Pair(kind.name, statistics.median(spent[False]), statistics.median(spent[True]))


if __name__ == "__main__":
    sys.exit(main())
