"""What a program reads of a verb, on standard output.

Apart from `screen`, because hooks of git check query locks where rich is not installed.
"""

from __future__ import annotations

import sys

__all__ = ["print_answer"]


def print_answer(text: str) -> None:
    """Write what a program reads to standard output, now: not when the interpreter ends."""
    sys.stdout.write(text)
    sys.stdout.flush()
