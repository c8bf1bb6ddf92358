"""What surrounds the requests: versions, CPU time, collections of garbage."""

import gc
import sys

import sqlalchemy

from harness.capture import RequestTracker
from harness.capture.histogram import Histogram
from harness.capture.meter import Meter
from harness.capture.surroundings import Collections, versions


def test_versions_are_told_of_what_is_loaded() -> None:
    told = versions()

    assert told["sqlalchemy"] == sqlalchemy.__version__
    assert told["fastapi"] == sys.modules["fastapi"].__version__
    assert told["python"] == sys.version.split()[0]


def test_full_collections_are_timed_inside_the_block() -> None:
    collections, before = Collections(), list(gc.callbacks)
    with collections.timed():
        gc.collect()
        gc.collect(0)
    gc.collect()

    assert collections.pauses.count == 1
    assert gc.callbacks == before


def test_cpu_time_only_grows() -> None:
    meter = Meter(RequestTracker())
    first = meter.status()["cpu_seconds"]
    sum(range(1_000_000))

    assert 0 < first < meter.status()["cpu_seconds"]


def test_pauses_are_in_the_status() -> None:
    meter = Meter(RequestTracker())
    with meter.listening():
        gc.collect()

    assert Histogram.from_json(meter.status()["gc_pauses"]).count >= 1
