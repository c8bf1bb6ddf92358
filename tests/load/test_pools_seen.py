"""What is said of pools after a run, from hand-made readings of their processes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.capture.windows import MachineWindow, Reading, UnreadProcess
from harness.checks.load.validity import NO_PROBE
from harness.findings import Verdict
from harness.load.judgement import judged_load
from harness.load.pools_seen import PoolsSeen, pools_seen
from harness.load.result import LoadResult
from harness.load.tally import Answer, Tally
from harness.rig.protocol import Stretch
from tests.capture.readings import client, pool, status

SECONDS = 10.0
EARLIER_SECONDS = 600.0
LATER_SECONDS = EARLIER_SECONDS + SECONDS


def before(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - of any type
    """A process, as the run begins."""
    return status(**{"pid": 1, "uptime_seconds": EARLIER_SECONDS, **parts})


def after(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - of any type
    """The same one, as it ends."""
    return status(**{"pid": 1, "uptime_seconds": LATER_SECONDS, **parts})


def out(age_seconds: float) -> dict[str, Any]:
    """A connection that nobody gives back."""
    return {
        "pool": "pool 1",
        "route": "GET /",
        "age_seconds": age_seconds,
        "has_request_ended": True,
        "is_owner_running": False,
        "site": None,
    }


def stretch(*processes: tuple[dict[str, Any] | None, dict[str, Any]]) -> Stretch:
    """Processes, each read at both ends and at rest as at its end; None for no first reading."""
    latest = {number: last for number, (_, last) in enumerate(processes, 1)}
    return Stretch(
        seconds=SECONDS,
        server=None,
        why_no_server="",
        machine=MachineWindow(2, 0.0, 0.0),
        before={number: first for number, (first, _) in enumerate(processes, 1) if first},
        after=latest,
        at_rest=latest,
        silent=(),
        series=(),
    )


def seen(readings: Stretch) -> PoolsSeen:
    """What comes of them."""
    found = pools_seen(readings, client())
    assert found is not None
    return found


def told(readings: Stretch) -> dict[str, tuple[Verdict, str]]:
    """What is said of the pools, by probe."""
    tally = Tally()
    tally.add("GET /", Answer.OK, seconds=0.1, ended_seconds=0.5)
    result = LoadResult(started_seconds=0.0, seconds=SECONDS, users=1, tally=tally)
    verdicts = judged_load(result, pools_seen(readings, client()))
    return {item.probe: (item.verdict, item.summary) for item in verdicts if item.probe != "load"}


def test_what_happened_before_the_run_is_not_of_the_run() -> None:
    earlier = pool(timeouts=36, checkouts=900, checked_out_at={"4": 9})
    later = pool(timeouts=36, checkouts=1000, checked_out_at={"4": 9, "2": 100})

    (row,) = seen(stretch((before(pools=[earlier]), after(pools=[later])))).pools

    assert (row.timeouts, row.checkouts, row.peak_checked_out) == (0, 100, 2)


def test_what_happened_meanwhile_is() -> None:
    readings = stretch((before(pools=[pool(timeouts=36)]), after(pools=[pool(timeouts=38)])))

    assert told(readings)["pool"][0] is Verdict.FAIL
    assert told(readings)["pool"][1].endswith("2 timeouts")


@pytest.mark.parametrize(
    ("age_seconds", "verdict"), [(SECONDS - 1, Verdict.FAIL), (SECONDS + 1, Verdict.PASS)]
)
def test_only_a_connection_that_was_taken_in_the_run_has_leaked_in_it(
    age_seconds: float, verdict: Verdict
) -> None:
    left = pool(checked_out=1, checkouts=3)
    first = before(pools=[pool(checkouts=2)])

    readings = stretch((first, after(pools=[left], outstanding=[out(age_seconds)])))

    assert told(readings)["leak"][0] is verdict


def test_pools_of_several_processes_are_told_apart() -> None:
    pair = (before(pools=[pool()]), after(pools=[pool(timeouts=1)]))

    rows = seen(stretch(pair, pair)).pools

    assert [row.name for row in rows] == ["pool 1 of process 1", "pool 1 of process 2"]


def test_a_process_that_was_not_read_hides_no_leak_of_another() -> None:
    leaking = after(pools=[pool(checked_out=1, checkouts=1)], outstanding=[out(1.0)])
    silent = (UnreadProcess(2, Reading.END, "timed out after 5 s"),)

    verdicts = told(replace(stretch((before(pools=[pool()]), leaking)), silent=silent))

    why = "process 2 was not read at the end of the load: timed out after 5 s"
    assert verdicts["leak"][0] is Verdict.FAIL
    assert verdicts["pool"] == (Verdict.INCONCLUSIVE, why)


def test_a_connection_in_use_at_the_end_has_not_leaked_where_nobody_told_the_rest() -> None:
    busy = after(pools=[pool(checked_out=1, checkouts=1)], outstanding=[out(1.0)])
    silent = (UnreadProcess(1, Reading.REST, "timed out after 5 s"),)
    readings = stretch((before(pools=[pool()]), busy))

    verdicts = told(replace(readings, at_rest={}, silent=silent))

    why = "process 1 was not read when all clients had left: timed out after 5 s"
    assert verdicts["leak"] == (Verdict.INCONCLUSIVE, why)


_WORKS = {"has_request_ended": False, "is_owner_running": True}
_IN_USE = "5 checkouts, 1 connection still in use"


@pytest.mark.parametrize(
    ("owner", "leak"),
    [
        (_WORKS, (Verdict.PASS, _IN_USE)),
        ({"route": "", **_WORKS}, (Verdict.PASS, _IN_USE)),
        (
            {"is_owner_running": True},
            (Verdict.WARN, "1 connection held by a task that outlives its request"),
        ),
        ({}, (Verdict.FAIL, "1 connection still out, and the request that took it has ended")),
    ],
    ids=["request at work", "outside of requests", "task of a request that ended", "nobody"],
)
def test_whether_a_connection_that_is_out_has_leaked_is_for_its_owner_to_say(
    owner: dict[str, Any], leak: tuple[Verdict, str]
) -> None:
    busy = after(pools=[pool(checked_out=1, checkouts=5)], outstanding=[{**out(1.0), **owner}])

    verdicts = told(stretch((before(pools=[pool()]), busy)))

    assert verdicts["leak"] == leak


def test_a_run_that_takes_no_connection_loses_none() -> None:
    verdicts = told(stretch((before(pools=[pool()]), after(pools=[pool()]))))

    assert verdicts["leak"] == (Verdict.PASS, "all of 0 checkouts came back")


def test_a_warning_of_one_process_is_told_where_another_was_not_read() -> None:
    held = {**out(1.0), "is_owner_running": True}
    warned = after(pools=[pool(checked_out=1, checkouts=1)], outstanding=[held])
    silent = (UnreadProcess(2, Reading.END, "timed out after 5 s"),)

    verdicts = told(replace(stretch((before(pools=[pool()]), warned)), silent=silent))

    assert verdicts["leak"][0] is Verdict.WARN


def test_the_counts_of_the_end_are_told_where_nobody_told_the_rest() -> None:
    readings = stretch((before(pools=[pool()]), after(pools=[pool(timeouts=2)])))

    (row,) = seen(replace(readings, at_rest={})).pools

    assert row.timeouts == 2


def test_a_target_that_does_not_answer_is_said_in_a_line() -> None:
    silent = (UnreadProcess(None, Reading.BEGINNING, "it does not tell its status: 500"),)

    verdicts = told(replace(stretch(), silent=silent))

    why = "a process was not read at the beginning of the load: it does not tell its status: 500"
    assert set(verdicts.values()) == {(Verdict.INCONCLUSIVE, why)}


def test_a_target_without_a_probe_is_skipped_with_the_reason() -> None:
    assert told(stretch()) == {"pool": (Verdict.SKIPPED, NO_PROBE)}


@pytest.mark.parametrize(
    "limits",
    [{"size": 3, "max_overflow": -1}, {"size": None, "max_overflow": None}],
    ids=["overflow", "NullPool"],
)
def test_of_a_pool_without_a_limit_none_is_told(limits: dict[str, int | None]) -> None:
    later = pool(checkouts=9, checked_out_at={"9": 1}, **limits)

    verdicts = told(stretch((before(pools=[pool(**limits)]), after(pools=[later]))))

    assert verdicts["pool"] == (Verdict.PASS, "pool 1: peak 9 out, 0 waiting, 0 timeouts")


def test_a_process_that_began_meanwhile_counts_from_nothing() -> None:
    young = status(pid=1, uptime_seconds=3.0, pools=[pool(timeouts=2)])

    assert [row.timeouts for row in seen(stretch((None, young))).pools] == [2]
