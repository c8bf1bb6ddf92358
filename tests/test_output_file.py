"""A child's output: read by its path from other processes, and gone however its reader ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.output_file import output_file
from tests.processes import started

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")

_READER = """
from harness.output_file import output_file

with output_file() as (file, path):
    print("what was said", file=file, flush=True)
    print(path, flush=True)
    input()
"""


def test_another_process_reads_it() -> None:
    with started(
        [sys.executable, "-c", _READER], environment=os.environ, stdin=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip())

        assert path.is_file()
        assert path.read_text(encoding="utf-8") == "what was said\n"
        assert path.stat().st_size == len("what was said\n")


def test_nothing_is_left_of_it_where_the_reader_is_killed(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with started(
        [sys.executable, "-c", _READER], environment=environment, stdin=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()

        process.kill()
        process.wait(30)

    assert list(tmp_path.iterdir()) == []


def test_it_is_gone_with_the_block() -> None:
    with output_file() as (_, path):
        assert path.is_file()

    assert not path.exists()
