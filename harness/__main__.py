"""The ``harness`` command and ``python -m harness``: the one place that turns errors into exits."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from harness.errors import ExitCode, HarnessError

__all__ = ["main"]


def main() -> int:
    """Run the command line.

    Returns:
        An `ExitCode`.
    """
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        from harness.cli import command  # noqa: PLC0415 - needs an extra; see below
    except ImportError as error:
        return _failed(
            f"the harness command needs {error.name!r}: "
            "pip install 'fastapi-sqlalchemy-harness[all]'",
            ExitCode.ENVIRONMENT,
        )
    try:
        result = command(standalone_mode=False)
    except HarnessError as error:
        return _failed(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _failed("interrupted", ExitCode.INTERRUPTED)
    except BrokenPipeError:
        return ExitCode.CLEAN  # whoever read the output has seen enough
    return result if isinstance(result, int) else ExitCode.CLEAN


def _interrupted(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM cleans up as Ctrl-C does."""
    raise KeyboardInterrupt


def _failed(message: str, code: ExitCode) -> int:
    print(f"harness: {message}", file=sys.stderr)  # noqa: T201 - the command's own last word
    return code


if __name__ == "__main__":
    sys.exit(main())
