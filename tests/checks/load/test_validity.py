"""A window is judged only where the application was the limit of what was measured."""

from dataclasses import replace

import pytest

from harness.capture.windows import LoadWindow, LoopWindow, MachineWindow, Stall, StallCause
from harness.checks.load.validity import NO_PROBE, Basis, invalid
from tests.checks.load.building import QUIET, times, with_client
from tests.checks.load.recorded import CALM, EXHAUSTED, FREE, INDEXED

_GOOD = FREE[8]
_REQUESTS = _GOOD.client.requests


def _machine(*, generator: float = 0.3, foreign: float = 0.2, cores: int = 2) -> LoadWindow:
    return replace(_GOOD, machine=MachineWindow(cores, generator, foreign))


@pytest.mark.parametrize("basis", Basis)
@pytest.mark.parametrize("window", [CALM, *FREE.values(), *INDEXED.values()])
def test_recorded_windows_are_valid(window: LoadWindow, basis: Basis) -> None:
    assert invalid(window, basis) == ""


@pytest.mark.parametrize(
    ("window", "told"),
    [
        (_machine(generator=0.86), "generator was the limit: it used 0.86 of a core"),
        (_machine(foreign=0.41), "0.41 of a core, which is 20 % of 2 cores"),
        (replace(_GOOD, machine=None), "nobody looked"),
        (with_client(_GOOD, dropped=_REQUESTS // 50), "never sent by the generator"),
        (with_client(_GOOD, transport_failures=_REQUESTS // 50), "failed on the network"),
        (with_client(_GOOD, rate_limited=_REQUESTS // 50), "429"),
        (with_client(_GOOD, refused=_REQUESTS // 50), "not 2xx"),
        (with_client(_GOOD, redirects=_REQUESTS // 50), "not 2xx"),
        (with_client(_GOOD, requests=499, ok=499), "499 requests in the window, 500 needed"),
        (with_client(_GOOD, rates=(100.0, 200.0) * 5), "varied by 33 %"),
        (with_client(_GOOD, rates=(182.0,) * 4), "the rate is known of 4 s"),
        (with_client(_GOOD, rates=(0.0,) * 9), "not steady"),
        (EXHAUSTED, "321 of 401 answers were not 2xx"),
    ],
    ids=[
        "generator",
        "machine",
        "unseen machine",
        "dropped",
        "network",
        "rate limit",
        "refused",
        "redirected",
        "few",
        "unsteady",
        "short",
        "nothing",
        "exhausted",
    ],
)
def test_a_verdict_on_throughput_is_refused(window: LoadWindow, told: str) -> None:
    assert told in invalid(window)


@pytest.mark.parametrize(
    "window",
    [
        _machine(generator=0.85, foreign=0.4),
        with_client(_GOOD, refused=_REQUESTS // 100, ok=_REQUESTS - _REQUESTS // 100),
        with_client(_GOOD, requests=500, ok=500),
        with_client(_GOOD, rates=(170.0, 195.0) * 5),
    ],
    ids=["machine", "answers", "samples", "noise"],
)
def test_what_is_within_the_limits_is_judged(window: LoadWindow) -> None:
    assert invalid(window) == ""


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        (with_client(_GOOD, dropped=9), with_client(_GOOD, dropped=11)),
        (with_client(_GOOD, shed=9), with_client(_GOOD, shed=10)),
        (with_client(_GOOD, errors=9), with_client(_GOOD, errors=10)),
        (with_client(_GOOD, hung=9), with_client(_GOOD, hung=10)),
        (with_client(_GOOD, refused=5, shed=4), with_client(_GOOD, refused=5, shed=5)),
        (
            with_client(_GOOD, rates=(86.0, 114.0) * 5),
            with_client(_GOOD, rates=(84.0, 116.0) * 5),
        ),
    ],
    ids=["dropped", "shed", "errors", "hung", "all together", "noise"],
)
def test_one_in_a_hundred_is_the_limit_and_15_percent_that_of_noise(
    inside: LoadWindow, outside: LoadWindow
) -> None:
    # 910 requests.
    assert invalid(inside) == ""
    assert invalid(outside) != ""


@pytest.mark.parametrize(("requests", "is_valid"), [(49, False), (50, True)])
def test_fifty_requests_show_a_share_of_their_time(*, requests: int, is_valid: bool) -> None:
    few = with_client(_GOOD, requests=requests, ok=requests)

    assert (invalid(few, Basis.SHARES) == "") is is_valid


def test_no_noise_makes_counts_invalid() -> None:
    noisy = replace(EXHAUSTED, machine=MachineWindow(2, 1.0, 2.0))

    assert invalid(noisy, Basis.COUNTS) == ""


def test_a_share_of_time_needs_a_machine_but_no_good_answers() -> None:
    assert invalid(EXHAUSTED, Basis.SHARES) == ""
    assert "busy with something else" in invalid(_machine(foreign=1.0), Basis.SHARES)


def _crowded(
    *, processes: int, cpu: float, generator: float = 0.3, foreign: float = 0.0, cores: int = 2
) -> LoadWindow:
    """So many processes, of which each gets as much CPU."""
    return replace(
        _GOOD,
        processes=processes,
        process_cpu=cpu,
        cpu_seconds=processes * cpu * _GOOD.seconds,
        machine=MachineWindow(cores, generator, foreign),
    )


@pytest.mark.parametrize("basis", [Basis.SHARES, Basis.THROUGHPUT])
def test_a_machine_that_is_full_of_our_own_processes_was_the_limit(basis: Basis) -> None:
    assert invalid(_crowded(processes=4, cpu=0.42), basis) == (
        "the machine was the limit: 1.98 of 2 cores were in use, at most 90 % is allowed: the "
        "application used 1.68, the generator 0.30, other programs 0.00"
    )
    assert invalid(_crowded(processes=4, cpu=0.42), Basis.COUNTS) == ""


@pytest.mark.parametrize(
    "window",
    [
        _crowded(processes=4, cpu=0.37),
        _crowded(processes=4, cpu=0.42, cores=4),
        _crowded(processes=1, cpu=0.86, generator=0.75, foreign=0.4),
        replace(_crowded(processes=4, cpu=0.42), server=None),
    ],
    ids=["room", "more cores", "one that has its core", "perhaps on another machine"],
)
def test_a_machine_with_room_for_our_own_processes_was_not(window: LoadWindow) -> None:
    assert invalid(window) == ""


def _filled(server: float | None, *, together: float | None, cpu: float = 0.3) -> LoadWindow:
    """One process whose statements are work for the server, beside a generator of 0.3."""
    window = _crowded(processes=1, cpu=cpu)
    machine = MachineWindow(2, 0.3, 0.0, participants_cpu=together, server_cpu=server)
    return replace(window, machine=machine)


@pytest.mark.parametrize("basis", [Basis.SHARES, Basis.THROUGHPUT])
def test_a_machine_that_postgresql_fills_was_the_limit(basis: Basis) -> None:
    assert invalid(_filled(1.25, together=1.9), basis) == (
        "the machine was the limit: 1.90 of 2 cores were in use, at most 90 % is allowed: the "
        "application used 0.30, the generator 0.30, PostgreSQL 1.25, other programs 0.00; make "
        "its statements cheaper, or give PostgreSQL cores of its own"
    )


@pytest.mark.parametrize(
    ("window", "is_valid"),
    [
        (_filled(1.2, together=1.8), True),
        (_filled(1.2, together=1.81), False),
        (_filled(None, together=1.81), False),
        (_filled(None, together=None), True),
        (_filled(0.9, together=1.95, cpu=0.86), True),
        (replace(_filled(1.2, together=1.9), server=None), True),
    ],
    ids=["room", "full", "unseen", "not added up", "has its core", "perhaps elsewhere"],
)
def test_a_tenth_of_the_machine_has_to_be_idle(window: LoadWindow, *, is_valid: bool) -> None:
    assert (invalid(window) == "") is is_valid


def test_a_server_that_uses_less_than_half_is_not_accused() -> None:
    assert "cheaper" not in invalid(_filled(0.9, together=1.9))


def test_more_cores_have_room_for_more_neighbours() -> None:
    assert invalid(_machine(foreign=0.7, cores=4)) == ""


@pytest.mark.parametrize("basis", Basis)
def test_nothing_can_be_said_of_a_load_without_requests(basis: Basis) -> None:
    silent = with_client(replace(_GOOD, machine=QUIET), requests=0, ok=0)

    assert invalid(silent, basis) == "no request came to its end"


_UNTOLD = replace(_GOOD, pools=(), routes=())


@pytest.mark.parametrize("basis", Basis)
def test_without_a_probe_nothing_is_judged(basis: Basis) -> None:
    assert invalid(replace(_UNTOLD, processes=0), basis) == NO_PROBE


@pytest.mark.parametrize("basis", Basis)
def test_processes_that_told_nothing_are_not_judged(basis: Basis) -> None:
    assert invalid(_UNTOLD, basis) == "no process of the application told its counts at both ends"


@pytest.mark.parametrize(
    "told",
    [
        replace(_UNTOLD, routes=_GOOD.routes),
        replace(_UNTOLD, pools=_GOOD.pools),
        replace(_UNTOLD, loop=LoopWindow(lag=times(0.01))),
        replace(_UNTOLD, loop=LoopWindow(stalls=(Stall(StallCause.OTHER, 1, 9.0, 9.0, "", None),))),
    ],
    ids=["routes", "pools", "lag", "stalls"],
)
def test_whatever_a_process_has_told_is_judged(told: LoadWindow) -> None:
    assert invalid(told) == ""
