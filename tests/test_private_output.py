"""Output for one reader: whatever anybody else prints is somewhere else."""

from __future__ import annotations

import os
import subprocess
import sys


def test_what_was_printed_before_goes_where_errors_go_and_so_does_what_comes_after() -> None:
    program = (
        "from harness.private_output import private_output\n"
        "print('before')\n"
        "private = private_output()\n"
        "print('after')\n"
        "print('ours', file=private)\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        text=True,
    )

    assert ended.stdout == "ours\n"
    assert ended.stderr == "before\nafter\n"
