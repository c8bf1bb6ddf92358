"""What ``harness lock`` reads: a query lock, or the JSON report of a test run, told by content.

Apart from the verbs because both take either: a pull request is compared, and the shards of a CI
job are merged, without a lock in the repository.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from harness.errors import LockError, MisuseError
from harness.findings import Verdict
from harness.lock.counts import QueryLock
from harness.lock.file import from_text

__all__ = ["LockInput", "read_input", "read_text"]


@dataclass(frozen=True, slots=True)
class LockInput:
    """The counts of one file."""

    name: str
    lock: QueryLock
    gaps: tuple[str, ...] = ()
    """Why they are not those of a complete test run; empty for a lock, which does not say."""


def read_text(file: Path) -> str:
    """The text of a file.

    Raises:
        MisuseError: If there is no such file.
        LockError: If it is no text.
    """
    try:
        # Some editors of Windows begin a file with a mark of its encoding.
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise MisuseError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise LockError(f"{file} is not text: {error.reason}", where=str(file)) from error


def read_input(file: Path) -> LockInput:
    """The counts of a lock or of a report.

    Raises:
        MisuseError: If there is no such file.
        LockError: If it is neither, or the report of a run that could not see.
    """
    text = read_text(file)
    report = _report(text)
    if report is None:
        return LockInput(str(file), from_text(text, where=str(file)))
    if report.get("verdict") == Verdict.INCONCLUSIVE:
        raise LockError(
            f"{file} is of a test run that could not be judged",
            where="\n".join(_strings(report.get("problems"))),
            remedy="Mend that, and run the tests again.",
        )
    seen = from_text(json.dumps(report["seen"]), where=f"{file}, seen")
    return LockInput(str(file), seen, _strings(report.get("gaps")))


def _report(text: str) -> dict[str, object] | None:
    """The content, where it is a report; what is no JSON at all is judged as a lock."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and "seen" in content else None


def _strings(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
