"""What grows with every request, and what only gets full."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.capture.soaking import ProcessUse, SoakStretch
from harness.capture.windows import LoadWindow, MachineWindow, Reading, UnreadProcess
from harness.checks.load.drift import drift, slowing
from harness.findings import Finding, Verdict
from tests.checks.load.building import QUIET, times, with_client, with_pool
from tests.checks.load.recorded import CALM, LEAKED

_MB = 1024**2
_CALM = replace(CALM, machine=QUIET)


def _stretch(
    window: LoadWindow = _CALM,
    *,
    memory: float = 100.0,
    threads: int = 5,
    files: int = 20,
    out: int = 0,
) -> SoakStretch:
    return SoakStretch(window, out, ProcessUse(int(memory * _MB), threads, files))


def _labels(findings: Sequence[Finding]) -> list[str]:
    return [finding.label for finding in findings]


def test_a_load_that_leaves_nothing_behind_passes() -> None:
    judged = drift([_stretch()] * 5)

    requests = CALM.client.requests * 5
    assert judged.verdict.verdict is Verdict.PASS
    assert judged.verdict.summary == (
        f"{requests} requests in 5 stretches: all connections came back; "
        "memory 100 MB to 100 MB, threads 5 to 5, files 20 to 20"
    )


def test_a_load_that_fails_from_the_beginning_says_so() -> None:
    failing = with_client(_CALM, ok=_CALM.client.requests // 2)

    judged = drift([_stretch(failing)] * 5)

    assert judged.verdict.verdict is Verdict.PASS
    assert "all connections came back; 50 % failed at last, as at first" in judged.verdict.summary


def test_a_load_of_which_nothing_is_answered_well_decides_nothing() -> None:
    judged = drift([_stretch(with_client(_CALM, ok=0, refused=_CALM.client.requests))] * 5)

    assert judged.verdict.verdict is Verdict.INCONCLUSIVE
    assert "was answered well: see the plan" in judged.verdict.summary


def test_nothing_passes_in_the_name_of_a_process_that_was_not_read() -> None:
    silent = UnreadProcess(4711, Reading.REST, "it timed out")
    unread = _stretch(replace(_CALM, unread=(silent,)))

    judged = drift([_stretch(), unread, _stretch(), _stretch()])

    assert judged.verdict.verdict is Verdict.INCONCLUSIVE
    assert judged.verdict.summary.startswith("process 4711 was not read when all clients had left")


def test_one_connection_that_stays_out_fails_and_its_growth_is_told() -> None:
    judged = drift([_stretch(), *(_stretch(LEAKED, out=count) for count in (1, 2, 3))])

    (finding,) = judged.findings
    assert judged.verdict.verdict is Verdict.FAIL
    assert finding.kind == "connection-leak"
    assert ("connections out after each stretch", "0, 1, 2, 3") in finding.evidence


def test_a_busy_machine_hides_no_leak() -> None:
    noisy = replace(LEAKED, machine=MachineWindow(2, 1.0, 2.0))

    assert drift([_stretch(noisy, out=1)] * 4).verdict.verdict is Verdict.FAIL


def test_connections_of_the_garbage_collector_are_found_in_any_stretch() -> None:
    reclaimed = with_pool(_CALM, reclaimed=2)

    judged = drift([_stretch(reclaimed), _stretch(), _stretch(), _stretch()])

    assert _labels(judged.findings) == ["reclaimed"]


def test_memory_that_grows_with_every_request_is_told() -> None:
    judged = drift([_stretch(memory=size) for size in (100, 110, 120, 130, 140)])

    (finding,) = judged.findings
    assert judged.verdict.verdict is Verdict.WARN
    assert finding.identity == "drift memory @ the whole application"
    assert finding.title.startswith("memory grew from 110 MB to 140 MB, and by ")
    assert finding.title.endswith(" kB for each request")
    assert ("first, middle, last", "110 MB, 130 MB, 140 MB") in finding.evidence


@pytest.mark.parametrize(
    "sizes",
    [
        (100, 150, 150, 150, 150),
        (100, 120, 130, 130.4, 130.5),
        (100, 101, 102, 103, 104),
        (100, 120, 110, 125, 115),
    ],
    ids=["warm-up alone", "a cache that gets full", "too little", "up and down"],
)
def test_memory_that_does_not_go_on_growing_is_left_alone(sizes: Sequence[float]) -> None:
    assert drift([_stretch(memory=size) for size in sizes]).findings == ()


def test_threads_and_files_that_stay_are_told() -> None:
    judged = drift([_stretch(threads=5 + n, files=20 + 3 * n) for n in range(5)])

    assert _labels(judged.findings) == ["threads", "open files"]


def test_a_pool_of_threads_that_finds_its_size_is_left_alone() -> None:
    judged = drift([_stretch(threads=count) for count in (5, 9, 10, 10, 11)])

    assert judged.findings == ()


def test_answers_that_fail_after_a_while_fail_it() -> None:
    requests = _CALM.client.requests
    failing = with_client(_CALM, ok=requests // 2, errors=requests - requests // 2)

    judged = drift([_stretch(), _stretch(), _stretch(), _stretch(failing)])

    assert judged.verdict.verdict is Verdict.FAIL
    assert _labels(judged.findings) == ["failures"]


def test_answers_that_always_fail_are_no_drift() -> None:
    failing = with_client(_CALM, ok=0, errors=_CALM.client.requests)

    assert drift([_stretch(failing)] * 5).findings == ()


def test_a_steady_load_that_keeps_connecting_is_told() -> None:
    churned = with_pool(_CALM, creations=300, closed=300)

    assert _labels(drift([_stretch(churned)] * 5).findings) == ["replaced"]
    assert drift([_stretch(churned), *[_stretch()] * 4]).findings == ()


def test_without_a_look_at_the_processes_connections_are_judged() -> None:
    unseen = SoakStretch(_CALM, 0, None)

    judged = drift([unseen] * 5)

    assert judged.verdict.verdict is Verdict.PASS
    assert judged.verdict.summary.endswith("all connections came back")


@pytest.mark.parametrize(
    ("stretches", "verdict"),
    [
        ([], Verdict.INCONCLUSIVE),
        ([_stretch(with_client(_CALM, requests=0))], Verdict.INCONCLUSIVE),
        ([_stretch(replace(_CALM, processes=0, pools=(), routes=()))], Verdict.SKIPPED),
    ],
    ids=["nothing", "no request", "no probe"],
)
def test_what_nobody_saw_is_no_answer(stretches: list[SoakStretch], verdict: Verdict) -> None:
    assert drift(stretches).verdict.verdict is verdict


def _slow(p95: float, *, foreign: float = 0.1) -> SoakStretch:
    window = with_client(_CALM, latency=times(p95))
    return _stretch(replace(window, machine=MachineWindow(2, 0.3, foreign)))


def test_answers_that_take_longer_and_longer_are_told() -> None:
    judged = slowing([_slow(p95) for p95 in (0.01, 0.01, 0.02, 0.03, 0.04)])

    assert judged.verdict.verdict is Verdict.WARN
    assert _labels(judged.findings) == ["latency"]


@pytest.mark.parametrize(
    "latencies",
    [(0.05, 0.01, 0.01, 0.01, 0.01), (0.01, 0.010, 0.011, 0.012, 0.013)],
    ids=["slow at first", "within the noise"],
)
def test_answers_that_take_as_long_as_before_pass(latencies: Sequence[float]) -> None:
    assert slowing([_slow(p95) for p95 in latencies]).verdict.verdict is Verdict.PASS


def test_stretches_on_a_busy_machine_are_left_out() -> None:
    busy = [_slow(p95, foreign=1.5) for p95 in (0.02, 0.03)]

    judged = slowing([*[_slow(0.01)] * 4, *busy])

    assert judged.verdict.verdict is Verdict.INCONCLUSIVE
    assert judged.verdict.summary.startswith("3 of 5 stretches could be judged, 4 needed: the mac")
