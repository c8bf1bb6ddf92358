"""What is asked beside a load keeps its pace, and is given back."""

from __future__ import annotations

import socket
import threading
import time
from http.client import HTTPConnection
from typing import cast

from harness.campaign.drought.side import LANES, SideAnswer, SideProbe, side_probe
from harness.capture.traffic import Outcome
from tests.load.conftest import CountingServer

PATIENCE_SECONDS = 10.0


class _Closing:
    """A connection that is closed between two looks at its socket."""

    is_read = False

    @property
    def sock(self) -> socket.socket | None:
        """One that its lane has closed; none from then on."""
        if self.is_read:
            return None
        self.is_read = True
        closed = socket.socket()
        closed.close()
        return closed


def awaited(probe: SideProbe, count: int) -> list[SideAnswer]:
    until = time.monotonic() + PATIENCE_SECONDS
    while len(probe.answers) < count and time.monotonic() < until:
        threading.Event().wait(0.01)
    return probe.answers


def test_a_route_is_asked_ten_times_a_second(server: CountingServer) -> None:
    with side_probe(server.url, "/pages") as probe:
        answers = awaited(probe, 10)

    assert {answer.outcome for answer in answers} == {Outcome.OK}
    assert set(server.answered) == {"/pages"}
    starts = sorted(answer.started_seconds for answer in answers)
    assert starts[9] - starts[0] >= 0.8


def test_the_answer_is_told_as_its_client_sees_it(server: CountingServer) -> None:
    server.status = server.status.SERVICE_UNAVAILABLE
    with side_probe(server.url, "/pages") as probe:
        answers = awaited(probe, 1)

    assert answers[0].outcome is Outcome.SHED


def test_a_connection_that_is_refused_is_an_error() -> None:
    with side_probe("http://127.0.0.1:1", "/pages") as probe:
        answers = awaited(probe, 2)

    assert {answer.outcome for answer in answers} == {Outcome.ERROR}


def test_whoever_waits_for_an_answer_asks_no_more(server: CountingServer) -> None:
    server.seconds = 0.6
    with side_probe(server.url, "/pages") as probe:
        server.some.wait(PATIENCE_SECONDS)
        answers = list(awaited(probe, LANES))

    assert len(answers) <= LANES + 1
    assert min(answer.seconds for answer in answers) >= 0.6


def test_the_end_hardly_waits_for_an_answer_and_leaves_no_thread(server: CountingServer) -> None:
    server.seconds = 6.0
    before = threading.active_count()
    with side_probe(server.url, "/pages") as probe:
        server.some.wait(PATIENCE_SECONDS)
        began = time.monotonic()

    assert time.monotonic() - began < 4.0
    assert probe.answers == []
    assert min(answer.seconds for answer in probe.unanswered) >= 0.5
    assert threading.active_count() <= before + LANES  # the server's own


def test_a_lane_that_closes_its_connection_at_the_end_does_no_harm() -> None:
    closing = _Closing()
    probe = SideProbe("http://127.0.0.1:1", "/", _connections=[cast("HTTPConnection", closing)])

    probe.stop()

    assert closing.is_read


def test_an_answer_that_is_about_to_come_is_waited_for(server: CountingServer) -> None:
    server.seconds = 0.2
    with side_probe(server.url, "/pages"):
        server.some.wait(PATIENCE_SECONDS)

    assert server.answered


def test_latency_is_of_what_was_in_flight() -> None:
    probe = SideProbe("http://127.0.0.1:1", "/")
    probe.answers += [
        SideAnswer(1.8, 0.1, Outcome.OK),
        SideAnswer(1.9, 0.2, Outcome.OK),
        SideAnswer(3.5, 0.1, Outcome.OK),
        SideAnswer(4.0, 0.1, Outcome.OK),
    ]

    assert probe.latency(from_seconds=2.0, until_seconds=4.0).count == 2


def test_a_stall_counts_for_the_turns_that_it_took() -> None:
    probe = SideProbe("http://127.0.0.1:1", "/")
    probe.answers += [SideAnswer(0.1 * n, 0.01, Outcome.OK) for n in range(10)]
    probe.answers.append(SideAnswer(1.0, 3.1, Outcome.OK))
    probe.unanswered.append(SideAnswer(1.1, 9.0, Outcome.ERROR))

    told = probe.latency(from_seconds=0.0, until_seconds=3.0)

    assert told.count == 10 + 10 + 10
    assert told.p50_seconds >= 1.1
    assert told.max_seconds == 9.0
