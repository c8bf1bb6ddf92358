"""Who finds which N+1, side by side: the harness, pytest-queryguard, queryspy, pytest-querycount.

All of them watch the same tests: one for each handler of the labelled corpus in `tests/checks`, a
FastAPI application of its own, one request, a file of SQLite. Each tool runs alone, set up as its
own documentation says; the peers come from PyPI into your cache folder.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.commandline import run_to_its_end
from benchmarks.n_plus_one.cases import all_cases, some_cases
from benchmarks.n_plus_one.report import Outcome, as_json, lines_of
from benchmarks.n_plus_one.tools import Tool, harness_tool, peers, versions
from benchmarks.n_plus_one.verdicts import verdicts_of
from benchmarks.peers import NotInstalledError, installed_peers
from benchmarks.rounds import Progress
from tests.checks.corpus.labels import Case

__all__ = ["main"]

_EXAMPLE = """example:
  python benchmarks/peers_n_plus_one.py --json who-finds-what.json

The file has what each tool says of each handler, in its own words.
"""
_PACKAGES = ("sqlalchemy", "fastapi", "pytest")


def main() -> int:
    """Run the command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="only show that it runs: few handlers")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there as well")
    parser.add_argument(
        "--no-peers", action="store_true", help="leave out what has to come from PyPI first"
    )
    return run_to_its_end(partial(_compare, parser.parse_args()))


def _compare(options: argparse.Namespace) -> None:
    progress = Progress()
    cases = some_cases() if options.quick else all_cases()
    tools, known = _tools(progress, with_peers=not options.no_peers)
    outcomes = _outcomes(tools, cases, progress)
    wrong = sum(bool(case.expected) for case in cases)
    ours = [f"Python {platform.python_version()}", *(f"{it} {version(it)}" for it in _PACKAGES)]
    print(f"{len(cases)} handlers: {wrong} with something to find, {len(cases) - wrong} clean")
    print("\n".join(", ".join(packages) for packages in (ours, known) if packages) + "\n")
    for line in lines_of(outcomes):
        print(line)
    if options.json is not None:
        _write(options.json, {"about": _about([*ours, *known]), **as_json(outcomes)})


def _tools(progress: Progress, *, with_peers: bool) -> tuple[list[Tool], list[str]]:
    """What is compared, and the versions of the peers."""
    ours = harness_tool()
    if not with_peers:
        return [ours], []
    progress.show("installing the peers")
    try:
        folder = installed_peers()
    except NotInstalledError as error:
        progress.note(f"left out: the peers, which could not be installed: {error}")
        return [ours], []
    return [ours, *peers(folder)], list(versions(folder))


def _outcomes(tools: Sequence[Tool], cases: Sequence[Case], progress: Progress) -> list[Outcome]:
    outcomes = []
    say = progress.show if sys.stderr.isatty() else progress.note
    for place, tool in enumerate(tools, start=1):
        say(f"{place} of {len(tools)}: {tool.name}")
        outcomes.append(Outcome(tool, verdicts_of(tool, cases)))
    progress.clear()
    return outcomes


def _about(packages: Sequence[str]) -> dict[str, Any]:
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "packages": list(packages),
    }


def _write(file: Path, everything: dict[str, Any]) -> None:
    file.write_text(json.dumps(everything, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
