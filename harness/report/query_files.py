"""Query reports as files: the ending says which format, and a file is whole or not there.

Apart from the renderers, which make text of a report and know of no files.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from harness.errors import ConfigurationError
from harness.report.query_content import QueryReport
from harness.report.query_json import query_to_json
from harness.report.query_markdown import query_to_markdown
from harness.report.sarif import query_to_sarif

__all__ = ["REPORT_ENDINGS", "require_known_ending", "write_query_report"]

REPORT_ENDINGS = (".json", ".md", ".sarif")
"""The formats that there are."""


def require_known_ending(path: Path) -> str:
    """The ending of a report's file: to be asked before the tests run, not behind them.

    Raises:
        ConfigurationError: If no format has it.
    """
    ending = path.suffix.lower()
    if ending not in REPORT_ENDINGS:
        raise ConfigurationError(
            f"a query report cannot be written to {str(path)!r}: its ending names no format",
            remedy=f"name a file that ends with one of {', '.join(REPORT_ENDINGS)}",
        )
    return ending


def write_query_report(report: QueryReport, path: Path, *, folder: str = "") -> None:
    """Write a report, in the format that the file's ending names; folders are made.

    Args:
        report: The report.
        path: The file; one that is there is replaced.
        folder: Where the project lies in its repository; empty where it is all of it.

    Raises:
        ConfigurationError: If the ending names no format.
        OSError: If the file cannot be written: whether that matters is the caller's to say.
    """
    text = _rendered(report, require_known_ending(path), folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, text)


def _rendered(report: QueryReport, ending: str, folder: str) -> str:
    if ending == ".json":
        return query_to_json(report)
    if ending == ".sarif":
        return query_to_sarif(report, folder=folder)
    return query_to_markdown(report)


def _replace(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        with new.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
