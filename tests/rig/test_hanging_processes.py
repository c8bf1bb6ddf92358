"""A process that does not tell its status: a fact of the window, and of whoever judges by it.

In a file of their own because each waits for an answer in vain, twice.
"""

from __future__ import annotations

import httpx

from harness.capture.differences import load_window
from harness.capture.windows import Reading
from harness.checks.load.leak import leak
from harness.findings import Verdict
from harness.rig.client import Rig
from tests.capture.readings import client, only_pool
from tests.processes import stopped


def test_a_process_that_hangs_at_first_is_a_fact_and_not_the_end(rig: Rig) -> None:
    serving = rig.serve(workers=2)
    hanging, healthy = serving.workers
    with stopped(hanging.pid):
        rig.begin_window()
    stretch = rig.end_window()

    assert set(stretch.before) == {healthy.pid}
    assert set(stretch.after) == {healthy.pid, hanging.pid}
    assert [(each.pid, each.reading) for each in stretch.silent] == [
        (hanging.pid, Reading.BEGINNING)
    ]
    assert "timed out after 5 s" in stretch.silent[0].why


def test_of_a_process_that_stopped_meanwhile_nobody_says_that_it_leaks_nothing(rig: Rig) -> None:
    serving = rig.serve(workers=2)
    hanging, healthy = serving.workers
    rig.begin_window()
    for worker in serving.workers:
        httpx.post(f"{worker.url}/notes").raise_for_status()
    with stopped(hanging.pid):
        stretch = rig.end_window(rest_seconds=0.1)

    told = load_window(
        seconds=stretch.seconds,
        client=client(2),
        before=stretch.before,
        after=stretch.after,
        at_rest=stretch.at_rest,
        silent=stretch.silent,
    )

    assert stretch.at_rest.keys() == {healthy.pid}
    (unread,) = told.unread
    assert (unread.pid, unread.reading) == (hanging.pid, Reading.END)
    assert (told.processes, only_pool(told).checkouts, told.outstanding) == (2, 1, ())
    judged = leak(told).verdict
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert f"process {hanging.pid} was not read at the end of the load" in judged.summary
    assert "timed out after 5 s" in judged.summary
