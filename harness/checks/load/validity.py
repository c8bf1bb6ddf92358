"""Whether a window may be judged at all: first of all questions, because a wrong one costs most.

On one machine the same application served 970, 520 and 265 requests a second by the choice of the
generator alone [measured]. So a verdict on throughput needs a generator and a machine that were not
the limit. What is counted needs neither: a connection that never came back is leaked on a busy
machine too.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from statistics import fmean, pstdev

from harness.capture.windows import ClientWindow, LoadWindow, MachineWindow
from harness.checks.load.figures import cores, counted, percent

__all__ = [
    "BAD_SHARE",
    "DROPPED_SHARE",
    "FEWEST_RATES",
    "FEWEST_SHARES",
    "FEWEST_THROUGHPUT",
    "FOREIGN_SHARE",
    "GENERATOR_CPU",
    "NO_PROBE",
    "UNSTEADY",
    "Basis",
    "invalid",
]

GENERATOR_CPU = 0.85
"""Of one core: a generator is one thread. Locust itself warns at 0.9; the last tenth is where its
own queue begins to be measured as the application's latency."""
FOREIGN_SHARE = 0.20
"""Of all cores, since it is the machine that has to have room: application, generator and database
run beside each other. On two cores this is 0.4 of a core; slices with up to 0.5 repeated to 15 %
[measured], and with more the figures were those of the neighbours."""
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
    "the target has no probe, or HARNESS_TOKEN is not set: nobody looked into the application"
)
"""A reason of which nothing is wrong with the measurement."""


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
        return "no request was sent"
    if why := _unseen(window):
        return why
    reasons = {
        Basis.COUNTS: (),
        Basis.SHARES: (_machine(window.machine), _samples(window.client, FEWEST_SHARES)),
        Basis.THROUGHPUT: _throughput(window),
    }
    return next((reason for reason in reasons[basis] if reason), "")


def _unseen(window: LoadWindow) -> str:
    """Zeros of which nobody knows whether they are any: no waiters, no stalls, no CPU."""
    if not window.processes:
        return NO_PROBE
    is_told = window.routes or window.pools or window.loop.stalls or window.loop.lag.count
    return "" if is_told else "no process of the application told its counts at both ends"


def _throughput(window: LoadWindow) -> Iterator[str]:
    yield _generator(window.machine)
    yield _machine(window.machine)
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
