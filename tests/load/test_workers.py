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
    assert book.losses(master) == ()


def test_a_report_that_is_missing_is_told(master: Run) -> None:
    book, reporter, run = WorkerBook(), Reporter(), _run()
    _report(reporter, run, 3)

    master.stop()
    book.take("a", _report(reporter, run, 4, is_last=True), master)

    assert book.losses(master) == ("1 reports of workers were lost on their way",)


def test_a_worker_that_never_reported_is_told(master: Run) -> None:
    book = WorkerBook()
    book.start(["a", "b"])
    master.stop()
    book.take("a", _report(Reporter(), _run(), 1, is_last=True), master)

    assert book.losses(master) == ("1 of 2 workers went away before the end",)
    assert not book.has_ended(["a", "b"])
    assert book.has_ended(["a"])


def test_a_worker_that_left_in_order_but_early_is_told(master: Run) -> None:
    book = WorkerBook()

    book.take("a", _report(Reporter(), _run(), 1, is_last=True), master)

    assert book.losses(master) == ("1 of 1 workers went away before the end",)


def test_a_report_after_the_last_does_not_take_it_back(master: Run) -> None:
    book, reporter, run = WorkerBook(), Reporter(), _run()
    master.stop()
    book.take("a", _report(reporter, run, 1, is_last=True), master)

    book.take("a", _report(reporter, run, 0), master)

    assert book.losses(master) == ()


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

    assert (book.tally.requests, book.losses(master)) == (0, ())


def test_workers_that_start_none_of_their_users_are_told(master: Run) -> None:
    book = WorkerBook()
    book.start(["a", "b"])

    book.note_users({"a": 2, "b": 0})
    master.note_users(2, target=4, is_spawned=True)
    master.stop()
    for name in ("a", "b"):
        book.take(name, _report(Reporter(), _run(), 1, is_last=True), master)

    (told,) = book.losses(master)
    assert told.startswith("2 of 4 users ran at most, and 1 of 2 workers had none: give all")
    assert "--master-bind-port" in told


def test_users_that_leave_of_their_own_accord_are_not_missed(master: Run) -> None:
    master.note_users(4, target=4, is_spawned=True)
    master.note_users(1, target=4, is_spawned=True)

    assert WorkerBook().losses(master) == ()


def test_users_that_are_still_being_started_are_not_missed(master: Run) -> None:
    master.note_users(1, target=4, is_spawned=False)

    assert WorkerBook().losses(master) == ()
    assert master.unstarted_users == 3


def test_more_workers_than_users_are_no_loss(master: Run) -> None:
    book = WorkerBook()
    book.start(["a", "b"])

    book.note_users({"a": 1, "b": 0, "late": 0})
    master.note_users(1, target=1, is_spawned=True)
    master.stop()
    for name in ("a", "b"):
        book.take(name, _report(Reporter(), _run(), 1, is_last=True), master)

    assert (book.losses(master), book.count) == ((), 2)
