"""No place of a program keeps Ctrl-C or SIGTERM from ending it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PATIENCE_SECONDS = 20
DROPPED = """
import signal, sys, time
from harness.interrupts import raise_interrupts

class Transport:
    def __del__(self):
        signal.raise_signal(signal.{name})  # as it would arrive while the collector runs

raise_interrupts()
try:
    for _ in range(3):
        Transport()
    print("dropped", flush=True)
    time.sleep({patience})
except KeyboardInterrupt:
    print("interrupted")
"""
OTHER = """
from harness.interrupts import raise_interrupts

class Transport:
    def __del__(self):
        raise ValueError("left open")

raise_interrupts()
Transport()
print("went on")
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupt_that_a_destructor_swallows_is_raised_again(name: str) -> None:
    done = run(DROPPED.format(name=name, patience=PATIENCE_SECONDS))

    assert done.stdout.splitlines() == ["dropped", "interrupted"]
    assert done.stderr == ""


def test_another_error_in_a_destructor_is_told_as_ever() -> None:
    done = run(OTHER)

    assert done.stdout == "went on\n"
    assert "ValueError: left open" in done.stderr
