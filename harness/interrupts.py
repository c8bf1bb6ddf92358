"""Ctrl-C and SIGTERM, as one exception that ends the program wherever it arrives."""

from __future__ import annotations

import signal
import sys
from types import FrameType

__all__ = ["raise_interrupts"]

_AGAIN_SECONDS = 0.05


def raise_interrupts() -> None:
    """Raise `KeyboardInterrupt` at SIGINT, also where a shell had it ignored, and at SIGTERM.

    Python drops an exception that is raised in a destructor or in a callback of C, and prints it
    as ignored: a Ctrl-C that arrives there would be lost. It is raised again shortly after.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)
    usual = sys.unraisablehook

    def hook(dropped: sys.UnraisableHookArgs) -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            _interrupt_again()
        else:
            usual(dropped)

    sys.unraisablehook = hook


def _interrupt_again() -> None:
    # No thread: the destructor may run where a lock of the threads is held.
    signal.signal(signal.SIGALRM, _interrupted)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)


def _interrupted(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
