"""Facts: statements, checkouts and requests as they happened. Never judges."""

from harness.capture.recorder import Recorder, recording
from harness.capture.recording import (
    Cause,
    Checkout,
    Phase,
    Recording,
    Refusal,
    RefusalReason,
    RequestRecord,
    RoundTrip,
    Tally,
    Transaction,
)
from harness.capture.source import SourceMap
from harness.capture.tracking import RequestTracker

__all__ = [
    "Cause",
    "Checkout",
    "Phase",
    "Recorder",
    "Recording",
    "Refusal",
    "RefusalReason",
    "RequestRecord",
    "RequestTracker",
    "RoundTrip",
    "SourceMap",
    "Tally",
    "Transaction",
    "recording",
]
