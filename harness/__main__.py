"""The ``harness`` command and ``python -m harness``: the one place that turns errors into exits."""

from __future__ import annotations

import signal
import sys

from harness.errors import ExitCode, HarnessError, MissingExtraError
from harness.interrupts import raise_interrupts
from harness.unread import outlive_readers

__all__ = ["main"]


def main() -> int:
    """Run the command line.

    Returns:
        An `ExitCode`.
    """
    raise_interrupts()
    outlive_readers()
    try:
        # Locust, which becomes this program, lets a Ctrl-C wait until here.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        return _run()
    except HarnessError as error:
        return _failed(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _failed("interrupted; everything that was started is stopped", ExitCode.INTERRUPTED)


def _run() -> int:
    try:
        import click  # noqa: PLC0415 - needs an extra, and time: Ctrl-C must not show a traceback

        from harness.cli import command  # noqa: PLC0415 - as above
    except ImportError as error:
        raise MissingExtraError(
            f"the harness command needs {error.name!r}, which is not installed",
            remedy="pip install 'fastapi-sqlalchemy-harness[all]'",
        ) from error
    try:
        result = command(prog_name="harness", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return ExitCode.MISUSE
    except click.Abort as error:
        raise KeyboardInterrupt from error
    return result if isinstance(result, int) else ExitCode.CLEAN


def _failed(message: str, code: ExitCode) -> int:
    print(f"harness: {message}", file=sys.stderr)  # noqa: T201 - the command's own last word
    return code


if __name__ == "__main__":
    sys.exit(main())
