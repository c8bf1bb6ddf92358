"""What both programs take on their command line, and how they end.

argparse, because a benchmark should run with as little else loaded as it can.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.pytest_process import Failed
from benchmarks.rounds import Progress
from harness.database.search import find_server
from harness.database.server import PostgresServer
from harness.errors import ExitCode, HarnessError
from harness.interrupts import raise_interrupts

__all__ = ["load", "machine", "parser_of", "run_to_its_end", "running_server", "write_json"]

_PACKAGES = ("sqlalchemy", "asyncpg", "psycopg", "psycopg2-binary", "pytest", "pytest-asyncio")


def parser_of(
    docstring: str, *, example: str, needs_server: bool = True
) -> argparse.ArgumentParser:
    """A parser with the options that all have."""
    parser = argparse.ArgumentParser(
        description=docstring, epilog=example, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=_count, help="how often all candidates are measured")
    parser.add_argument("--quick", action="store_true", help="only show that it runs: no figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    if needs_server:
        parser.add_argument(
            "--postgres",
            default="auto",
            metavar="WHERE",
            help="auto, embedded, container, system or a postgresql:// URL (default: auto)",
        )
    return parser


@contextmanager
def running_server(choice: str) -> Iterator[PostgresServer]:
    """A PostgreSQL for the block."""
    with closing(find_server(choice)) as server:
        yield server


def run_to_its_end(program: Callable[[], None]) -> int:
    """Run a program; returns its exit code, also where it is interrupted or cannot go on."""
    raise_interrupts()
    try:
        program()
    except KeyboardInterrupt:
        return _refused("interrupted; everything that was started is stopped", ExitCode.INTERRUPTED)
    except HarnessError as error:
        return _refused(str(error), error.exit_code)
    except Failed as error:
        return _refused(str(error), ExitCode.FINDINGS)
    return ExitCode.CLEAN


def machine(server: PostgresServer | None) -> str:
    """What the figures belong to."""
    python = f"Python {platform.python_version()}; {os.cpu_count()} CPUs"
    about = python if server is None else f"{server.origin}; {python}"
    return f"{about}\n{load('when it began')}"


def load(when: str) -> str:
    """How busy the machine is, benchmark included; above the number of CPUs all of it is slow."""
    return f"load {when}: {os.getloadavg()[0]:.1f}"


def write_json(file: Path | None, server: PostgresServer | None, figures: dict[str, Any]) -> None:
    """Write what was measured, and where, if that is wanted."""
    if file is None:
        return
    about = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "postgres": server.origin if server is not None else None,
        "python": platform.python_version(),
        "machine": platform.platform(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg(),
        "packages": {name: version(name) for name in _PACKAGES},
    }
    file.write_text(json.dumps({"about": about, **figures}, indent=2) + "\n", encoding="utf-8")


def _refused(text: str, code: int) -> int:
    Progress().clear()
    sys.stderr.write(f"{text}\n")
    return code


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
