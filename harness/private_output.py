"""Standard output for what another program reads, and for nothing else.

An application prints what it likes, while it is imported and later. On the pipe of an owner who
reads one line and no more it would be taken for that line, or fill the pipe and stop the
application.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO

__all__ = ["private_output"]

_OUTPUT, _ERRORS = 1, 2


def private_output() -> TextIO:
    """What was standard output, for the caller alone; what others print goes to standard error."""
    private = os.fdopen(os.dup(_OUTPUT), "w", encoding="utf-8")
    os.dup2(_ERRORS, _OUTPUT)
    sys.stdout.flush()  # only now: what was printed until then is others', too
    return private
