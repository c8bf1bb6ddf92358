"""Whether a window may be judged at all: first of all questions, because a wrong one costs most.

On one machine the same application served 970, 520 and 265 requests a second by the choice of the
generator alone [measured]. So a verdict on throughput needs a generator and a machine that were not
the limit. What is counted needs neither: a connection that never came back is leaked on a busy
machine too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from statistics import fmean, pstdev

from harness.capture.windows import ClientWindow, LoadWindow, MachineWindow, Reading
from harness.checks.load.figures import (
    SATURATED_CPU,
    application_cores,
    cores,
    counted,
    percent,
)

__all__ = [
    "BAD_SHARE",
    "DROPPED_SHARE",
    "FEWEST_RATES",
    "FEWEST_SHARES",
    "FEWEST_THROUGHPUT",
    "FOREIGN_SHARE",
    "FULL_SHARE",
    "GENERATOR_CPU",
    "NO_PROBE",
    "UNSTEADY",
    "Basis",
    "invalid",
    "unread",
]

GENERATOR_CPU = 0.85
"""Of one core: a generator is one thread. Locust itself warns at 0.9; the last tenth is where its
own queue begins to be measured as the application's latency."""
FOREIGN_SHARE = 0.20
"""Of all cores, since it is the machine that has to have room: application, generator and database
run beside each other. On two cores this is 0.4 of a core; slices with up to 0.5 repeated to 15 %
[measured], and with more the figures were those of the neighbours."""
FULL_SHARE = 0.90
"""Of all cores, by application, generator, PostgreSQL and others together: with less than a tenth
idle they wait for each other. Four processes on two cores get less than half of one each, so that
none of them ever looks saturated; nor does a process whose statements fill the cores."""
DROPPED_SHARE = 0.01
"""Arrivals that a generator of a constant rate may fail to send, as k6 counts them: above, it is no
constant rate, and the slowest requests are the ones that were left out."""
BAD_SHARE = 0.01
"""Answers that may be other than 2xx. An error or a 429 is quicker, or slower, than the work that
it stands in for; one in a hundred moves a mean by less than its own noise."""
FEWEST_THROUGHPUT = 500
"""Answers below which a 99th percentile rests on fewer than five of them."""
FEWEST_SHARES = 50
"""Requests below which a share of their time means nothing."""
FEWEST_RATES = 5
"""Seconds below which nobody can tell a steady rate from a ramp."""
UNSTEADY = 0.15
"""Standard deviation of the rate over its mean: the noise that slices on a shared machine had
[measured]; differences between windows cannot be seen below it."""
NO_PROBE = (
    "the target has no probe, or HARNESS_TOKEN is not set, or is another one: "
    "nobody looked into the application"
)
"""A reason of which nothing is wrong with the measurement."""

_MOMENTS: Mapping[Reading, str] = {
    Reading.BEGINNING: "at the beginning of the load",
    Reading.END: "at the end of the load",
    Reading.REST: "when all clients had left",
}


class Basis(StrEnum):
    """What a verdict rests on; each needs more than the one before."""

    COUNTS = "counts"
    """Events that either happened or did not."""
    SHARES = "shares"
    """Shares of time: processes must have run when they could have."""
    THROUGHPUT = "throughput"
    """Requests a second: nothing but the application may have been the limit."""


def invalid(window: LoadWindow, basis: Basis = Basis.THROUGHPUT) -> str:
    """Why a window cannot be judged on this basis; empty if it can."""
    if window.seconds <= 0 or window.client.requests == 0:
        return "no request came to its end"
    if why := _unseen(window):
        return why
    reasons = {
        Basis.COUNTS: (),
        Basis.SHARES: (
            _machine(window.machine),
            _full(window),
            _samples(window.client, FEWEST_SHARES),
        ),
        Basis.THROUGHPUT: _throughput(window),
    }
    return next((reason for reason in reasons[basis] if reason), "")


def unread(window: LoadWindow, *, at_rest: bool = False) -> str:
    """Why nobody can say of all processes that something did not happen; empty if all were read.

    What was seen of the others was seen: a finding stays one.

    Args:
        window: The load in question.
        at_rest: Whether it is about what they had out at rest, too.
    """
    missing = [item for item in window.unread if at_rest or item.reading is not Reading.REST]
    if not missing:
        return ""
    first = missing[0]
    who = "a process" if first.pid is None else f"process {first.pid}"
    more = f"; nor {counted(len(missing) - 1, 'other')}" if len(missing) > 1 else ""
    return f"{who} was not read {_MOMENTS[first.reading]}: {first.why}{more}"


def _unseen(window: LoadWindow) -> str:
    """Zeros of which nobody knows whether they are any: no waiters, no stalls, no CPU."""
    if not window.processes:
        return NO_PROBE
    is_told = window.routes or window.pools or window.loop.stalls or window.loop.lag.count
    if is_told:
        return ""
    return unread(window) or "no process of the application told its counts at both ends"


def _throughput(window: LoadWindow) -> Iterator[str]:
    yield unread(window)  # less of the application may have served than there is
    yield _generator(window.machine)
    yield _machine(window.machine)
    yield _full(window)
    yield from _answers(window.client)
    yield _samples(window.client, FEWEST_THROUGHPUT)
    yield _steadiness(window.client)


def _generator(machine: MachineWindow | None) -> str:
    if machine is None or machine.generator_cpu <= GENERATOR_CPU:
        return ""
    return (
        f"the generator was the limit: it used {cores(machine.generator_cpu)}, at most "
        f"{GENERATOR_CPU} is allowed; spread it over processes or another machine"
    )


def _machine(machine: MachineWindow | None) -> str:
    if machine is None:
        return "nobody looked at what else ran on the machine"
    share = machine.foreign_cpu / machine.cores
    if share <= FOREIGN_SHARE:
        return ""
    return (
        f"the machine was busy with something else: {cores(machine.foreign_cpu)}, which is "
        f"{percent(share)} of {counted(machine.cores, 'core')}; at most {percent(FOREIGN_SHARE)} "
        "is allowed"
    )


def _full(window: LoadWindow) -> str:
    """Why the processes of the measurement itself had no room beside each other."""
    available, machine = application_cores(window), window.machine
    if available is None or machine is None:
        return ""
    used, told = window.cpu_seconds / window.seconds, machine.participants_cpu or 0.0
    total = max(told, used + machine.generator_cpu) + machine.foreign_cpu
    # Processes that all got as much as one thread can use were not kept waiting by the machine.
    is_served = used >= SATURATED_CPU * max(window.processes, 1)
    if is_served or total <= FULL_SHARE * available:
        return ""
    return (
        f"the machine was the limit: {total:.2f} of {counted(available, 'core')} were in use, at "
        f"most {percent(FULL_SHARE)} is allowed: {_users(used, machine)}{_advice(total, machine)}"
    )


def _users(used: float, machine: MachineWindow) -> str:
    """Who used the machine, in cores."""
    server = "" if machine.server_cpu is None else f"PostgreSQL {machine.server_cpu:.2f}, "
    return (
        f"the application used {used:.2f}, the generator {machine.generator_cpu:.2f}, {server}"
        f"other programs {machine.foreign_cpu:.2f}"
    )


def _advice(total: float, machine: MachineWindow) -> str:
    if (machine.server_cpu or 0.0) <= total / 2:
        return ""
    return "; make its statements cheaper, or give PostgreSQL cores of its own"


def _answers(client: ClientWindow) -> Iterator[str]:
    arrivals = client.requests + client.dropped
    bad = client.shed + client.errors + client.refused + client.hung + client.redirects
    for count, whole, most, what in (
        (client.dropped, arrivals, DROPPED_SHARE, "arrivals were never sent by the generator"),
        (client.transport_failures, client.requests, BAD_SHARE, "requests failed on the network"),
        (client.rate_limited, client.requests, BAD_SHARE, "answers were 429, of a rate limit"),
        (bad, client.requests, BAD_SHARE, "answers were not 2xx"),
    ):
        if count > whole * most:
            yield f"{count} of {whole} {what}, at most {percent(most)} is allowed"


def _samples(client: ClientWindow, fewest: int) -> str:
    if client.requests >= fewest:
        return ""
    return f"{counted(client.requests, 'request')} in the window, {fewest} needed"


def _steadiness(client: ClientWindow) -> str:
    if len(client.rates) < FEWEST_RATES:
        return f"the rate is known of {len(client.rates)} s, {FEWEST_RATES} needed"
    mean = fmean(client.rates)
    spread = pstdev(client.rates) / mean if mean else float("inf")
    if spread <= UNSTEADY:
        return ""
    return (
        f"the rate was not steady: it varied by {spread * 100:.0f} % around {mean:.0f} a second, "
        f"at most {percent(UNSTEADY)} is allowed"
    )
