"""Standard streams that outlive their readers: ``harness … | head`` goes on when head has left.

Reports are still written to their files, and the exit code is the verdict's. Python raises there,
click and rich end the process with 1, which means findings. Of the whole command and not of single
prints, because click writes help, version and complaints by itself.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import TextIO

__all__ = ["OutlivingStream", "outlive_readers"]


class OutlivingStream(TextIOWrapper):
    """A stream that falls silent when nobody reads any more."""

    def write(self, text: str, /) -> int:
        """Write, or do nothing."""
        try:
            return super().write(text)
        except BrokenPipeError:
            self._fall_silent()
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, or do nothing."""
        try:
            super().flush()
        except BrokenPipeError:
            self._fall_silent()

    def _fall_silent(self) -> None:
        # What is left in its buffer would raise again when the interpreter ends (exit code 120).
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, self.fileno())
        finally:
            os.close(nowhere)


def outlive_readers() -> None:
    """Have standard output and standard error of this process outlive who reads them."""
    sys.stdout, sys.stderr = _outliving(sys.stdout), _outliving(sys.stderr)


def _outliving(stream: TextIO) -> TextIO:
    if isinstance(stream, OutlivingStream):
        return stream
    if not isinstance(stream, TextIOWrapper):  # closed by the shell (`>&-`), or a test's own
        return stream
    return OutlivingStream(
        stream.buffer,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
