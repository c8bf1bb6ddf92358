"""What a master knows of its workers."""

from __future__ import annotations

from typing import Any

import pytest

from harness.load.run import Run
from harness.load.tally import Answer
from harness.load.workers import Reporter, WorkerBook


def _run(number: int = 1) -> Run:
    run = Run()
    run.start(number=number, most_samples=0, arrivals=None)
    return run


def _report(
    reporter: Reporter, run: Run, requests: int, *, is_last: bool = False
) -> dict[str, Any]:
    for _ in range(requests):
        run.count("GET /", Answer.OK, seconds=0.01)
    return reporter.report(run, is_last=is_last)


@pytest.fixture
def master() -> Run:
    """The master's run."""
    return _run()


def test_reports_add_up(master: Run) -> None:
    book, reporter, run = WorkerBook(), Reporter(), _run()
    book.start(["a"])

    book.take("a", _report(reporter, run, 3), master)
    book.take("a", _report(reporter, run, 4), master)
    master.stop()
    book.take("a", _report(reporter, run, 0, is_last=True), master)

    assert book.tally.requests == 7
    assert book.losses() == ()


def test_a_report_that_is_missing_is_told(master: Run) -> None:
    book, reporter, run = WorkerBook(), Reporter(), _run()
    _report(reporter, run, 3)

    master.stop()
    book.take("a", _report(reporter, run, 4, is_last=True), master)

    assert book.losses() == ("1 reports of workers were lost on their way",)


def test_a_worker_that_never_reported_is_told(master: Run) -> None:
    book = WorkerBook()
    book.start(["a", "b"])
    master.stop()
    book.take("a", _report(Reporter(), _run(), 1, is_last=True), master)

    assert book.losses() == ("1 of 2 workers went away before the end",)
    assert not book.has_ended(["a", "b"])
    assert book.has_ended(["a"])


def test_a_worker_that_left_in_order_but_early_is_told(master: Run) -> None:
    book = WorkerBook()

    book.take("a", _report(Reporter(), _run(), 1, is_last=True), master)

    assert book.losses() == ("1 of 1 workers went away before the end",)


def test_a_report_after_the_last_does_not_take_it_back(master: Run) -> None:
    book, reporter, run = WorkerBook(), Reporter(), _run()
    master.stop()
    book.take("a", _report(reporter, run, 1, is_last=True), master)

    book.take("a", _report(reporter, run, 0), master)

    assert book.losses() == ()


def test_a_report_of_the_run_before_is_not_counted(master: Run) -> None:
    book = WorkerBook()

    book.take("a", _report(Reporter(), _run(number=7), 5), master)

    assert (book.tally.requests, book.count) == (0, 0)


def test_a_worker_that_joins_late_is_told_at_its_time(master: Run) -> None:
    book = WorkerBook()
    master.started_seconds -= 30.0

    book.take("a", _report(Reporter(), _run(), 1), master)

    assert [one.start_seconds for one in book.tally.timeline.moments() if one.good] == [30.0]


def test_the_busiest_workers_cpu_is_the_generators(master: Run) -> None:
    book = WorkerBook()
    for name, cpu in (("a", 0.2), ("b", 0.9)):
        book.take(name, {**_report(Reporter(), _run(), 1), "cpu": cpu}, master)

    assert book.generator_cpu == 0.9


def test_another_run_begins_from_nothing(master: Run) -> None:
    book = WorkerBook()
    book.take("a", _report(Reporter(), _run(), 1), master)

    book.start([])

    assert (book.tally.requests, book.losses()) == (0, ())
