"""The counts of SQLAlchemy's echo log, where nothing but ``echo=True`` can be switched on.

From lines (`EchoReader`: a file, a pipe, whatever a formatter made of them) or in the process
(`EchoCounter`: a logging handler); both feed one `EchoTallier`, which answers with an `EchoTally`.
"""

from harness.capture.echo.handler import EchoCounter
from harness.capture.echo.reader import EchoReader, bounded_lines
from harness.capture.echo.tallier import EchoTallier
from harness.capture.echo.tally import (
    EchoTally,
    Repeat,
    ShapeCount,
    TagCount,
    TransactionCount,
    Units,
)

__all__ = [
    "EchoCounter",
    "EchoReader",
    "EchoTallier",
    "EchoTally",
    "Repeat",
    "ShapeCount",
    "TagCount",
    "TransactionCount",
    "Units",
    "bounded_lines",
]
