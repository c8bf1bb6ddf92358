"""A stream holds a connection when the hold time is its length, and not that of its SQL."""

from dataclasses import replace

import pytest

from harness.capture.windows import LoadWindow, MachineWindow, Reading, UnreadProcess
from harness.checks.load.held_stream import SideAnswers, SlowReading, held_stream
from harness.findings import Severity, Verdict
from tests.checks.load.building import ENDPOINT, ROUTE, load, times, with_pool, with_route

_STREAMED = load(
    pool=2, rate=1.0, hold=0.01, wait=0.0, cpu=0.1, active=0.0, idle_in_transaction=0.0, users=6
)


def _window(
    *, length: float = 3.0, hold: float = 3.0, busy: float = 0.01, streams: int = 10
) -> LoadWindow:
    return with_route(
        _STREAMED,
        requests=streams,
        seconds=times(length, count=streams),
        wait=times(0.0, count=streams),
        hold=times(hold, count=streams),
        busy_seconds=busy * streams,
    )


def _reading(window: LoadWindow, beside: SideAnswers | None = None) -> SlowReading:
    return SlowReading(window, streams=(ROUTE,), beside=beside)


def test_a_connection_that_is_held_as_long_as_the_stream_is_found_with_its_endpoint() -> None:
    judged = held_stream(_reading(_window()))

    (finding,) = judged.findings
    assert judged.verdict.verdict is Verdict.WARN
    assert finding.identity == f"held-connection stream @ {ROUTE}"
    assert finding.site == ENDPOINT
    assert finding.title == (
        "a stream of 3.0 s holds a connection for 3.0 s, and executes for 10.0 ms of it"
    )


def test_a_connection_that_is_back_before_the_body_is_healthy() -> None:
    judged = held_stream(_reading(_window(hold=0.01)))

    assert judged.verdict.verdict is Verdict.PASS
    assert judged.findings == ()
    assert judged.verdict.summary == (
        "10 streams, each of 3.0 s; a connection is held for 10.0 ms of it"
    )


@pytest.mark.parametrize(
    "window",
    [_window(busy=2.0), _window(length=0.05, hold=0.05), _window(length=30.0, hold=3.0)],
    ids=["SQL runs all the time", "a short body", "held for a tenth of it"],
)
def test_what_is_no_held_stream_is_left_alone(window: LoadWindow) -> None:
    assert held_stream(_reading(window)).findings == ()


def test_waiting_for_a_connection_is_no_part_of_the_stream() -> None:
    waiting = with_route(
        _window(length=9.0), wait=times(6.0, count=10), seconds=times(9.0, count=10)
    )

    (finding,) = held_stream(_reading(waiting)).findings
    assert finding.title.startswith("a stream of 3.0 s holds a connection for 3.0 s")


def test_streams_that_got_no_connection_do_not_make_the_others_shorter() -> None:
    # Four of ten were read, for 3 s each; six waited for 1 s and were sent away.
    mixed = with_route(
        _window(),
        shed=6,
        seconds=times((4 * 3.0 + 6 * 1.0) / 10, count=10),
        wait=times(0.6, count=10),
        hold=times(3.0, count=4),
        busy_seconds=0.04,
    )

    (finding,) = held_stream(_reading(mixed)).findings
    assert finding.title.startswith("a stream of 3.0 s holds")
    assert ("streams", "4") in finding.evidence


def test_bodies_that_nobody_could_read_slowly_are_not_called_healthy() -> None:
    judged = held_stream(_reading(_window(length=0.003, hold=0.001)))

    assert judged.verdict.verdict is Verdict.SKIPPED
    assert judged.verdict.summary == (
        "no body was long enough to read it slowly: sent within 3.0 ms"
    )


def test_a_short_stream_without_a_connection_is_healthy() -> None:
    idle = with_route(_window(length=0.003), hold=times(0.0, count=0), busy_seconds=0.0)

    judged = held_stream(_reading(idle))

    assert judged.verdict.verdict is Verdict.PASS
    assert "none of which took a connection" in judged.verdict.summary


def test_a_pass_names_the_streams_that_were_too_short() -> None:
    (long,) = _window(hold=0.01).routes
    (short,) = _window(length=0.003, hold=0.003).routes
    window = replace(_window(), routes=(long, replace(short, route="GET /balances")))

    judged = held_stream(SlowReading(window, streams=(ROUTE, "GET /balances")))

    assert judged.verdict.verdict is Verdict.PASS
    assert judged.verdict.summary == (
        "10 streams, each of 3.0 s; a connection is held for 10.0 ms of it; too short to read it "
        "slowly: GET /balances"
    )


@pytest.mark.parametrize(
    ("window", "beside"),
    [
        (_window(), SideAnswers("GET /tags", good=3, failed=2, slowest_seconds=1.0)),
        (with_pool(_window(), timeouts=1), None),
    ],
    ids=["a request beside them fails", "a reader gets none"],
)
def test_streams_that_starve_others_are_an_error(
    window: LoadWindow, beside: SideAnswers | None
) -> None:
    judged = held_stream(_reading(window, beside))

    assert judged.verdict.verdict is Verdict.FAIL
    assert judged.findings[0].severity is Severity.ERROR


def test_what_the_others_got_is_evidence() -> None:
    beside = SideAnswers("GET /tags", good=3, failed=2, slowest_seconds=1.0)

    (finding,) = held_stream(_reading(_window(), beside)).findings
    assert ("failed of GET /tags", "2 of 5") in finding.evidence
    assert ("connections", "2") in finding.evidence


def test_several_processes_have_as_many_pools() -> None:
    (finding,) = held_stream(_reading(replace(_window(), processes=3))).findings

    assert ("connections", "2 in each of 3 processes") in finding.evidence


def test_a_busy_machine_hides_nothing() -> None:
    noisy = replace(_window(), machine=MachineWindow(2, 1.0, 2.0))

    assert held_stream(_reading(noisy)).findings


def test_other_routes_are_not_streams() -> None:
    reading = SlowReading(_window(), streams=("GET /exports",))

    judged = held_stream(reading)

    assert judged.verdict.verdict is Verdict.INCONCLUSIVE
    assert judged.findings == ()


def test_streams_that_all_fail_are_no_answer() -> None:
    judged = held_stream(_reading(with_pool(with_route(_window(hold=0.01), shed=10), timeouts=9)))

    assert judged.verdict.verdict is Verdict.INCONCLUSIVE
    assert judged.verdict.summary == (
        "no stream was answered well; 9 requests gave up waiting for a connection"
    )


def test_nothing_passes_in_the_name_of_a_process_that_was_not_read() -> None:
    silent = UnreadProcess(4711, Reading.END, "it timed out")

    judged = held_stream(_reading(replace(_window(hold=0.01), unread=(silent,))))

    assert judged.verdict.verdict is Verdict.INCONCLUSIVE
    assert judged.verdict.summary.startswith("process 4711 was not read")


@pytest.mark.parametrize(
    "window",
    [_window(length=0.003, hold=0.001), with_route(_window(hold=0.01), shed=10)],
    ids=["no body was long enough", "no stream was answered well"],
)
def test_what_the_others_did_not_stream_it_may_have(window: LoadWindow) -> None:
    silent = UnreadProcess(4711, Reading.END, "it timed out")
    assert "was not read" not in held_stream(_reading(window)).verdict.summary

    judged = held_stream(_reading(replace(window, unread=(silent,))))

    assert judged.verdict.verdict is Verdict.INCONCLUSIVE
    assert judged.verdict.summary.startswith("process 4711 was not read at the end of the load")


def test_without_a_probe_it_is_skipped() -> None:
    unseen = replace(_window(), processes=0, pools=(), routes=())

    assert held_stream(_reading(unseen)).verdict.verdict is Verdict.SKIPPED
