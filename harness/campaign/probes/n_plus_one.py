"""Pages and rows grow: whether any route runs more statements the more it returns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import ceil

from harness.campaign.counting.choosing import chosen_counter
from harness.campaign.counting.counted import StatementCounter
from harness.campaign.counting.samples import SizedLoad, route_samples
from harness.campaign.ground import Ground, NotOursError
from harness.campaign.outcome import Outcome, without_measurement
from harness.campaign.pages import PagedPlan, paged_plan_behind
from harness.campaign.scenario import Scenario
from harness.campaign.traffic import Load
from harness.capture.windows import LoadWindow
from harness.checks.load.figures import counted
from harness.checks.load.statement_growth import PROBE, statement_growth
from harness.errors import IsolationError
from harness.findings import Verdict
from harness.report.load_content import Phase
from harness.rig.client import Rig

__all__ = ["n_plus_one"]

_USERS = 4
_SECONDS, _SHORT_SECONDS = 3.0, 1.0
_PAGES_AND_ROWS = ((2, 0), (5, 5), (10, 10), (10, 20))
"""Items to ask for, and rows that every table has got beforehand: none at first."""
_PAGES = ((2, 0), (5, 0), (10, 0))
_READING_SECONDS = 2.0
"""Asking for the processes behind somebody else's port takes so long, in which users load already:
of a stretch that is no longer nothing would be counted."""
_FEW_ROUTES = 5
"""As many as somebody's own traffic has, mostly."""


def n_plus_one(ground: Ground, scenario: Scenario) -> Outcome:
    """Load the application with larger and larger pages of more and more rows."""
    if ground.settings.count_by == "events":
        _require_counts(ground)
    served = _served(ground)
    with ExitStack() as stack:
        counter = chosen_counter(ground, served.log, stack)
        loads = _Loads(ground, scenario, counter, _paged(ground, scenario))
        for page, rows in _PAGES_AND_ROWS if served.rig is not None else _PAGES:
            served.add(rows)
            loads.measure(page, rows)
    note = "; ".join([*loads.notes(), *served.notes])
    phases = (Phase(PROBE, tuple(loads.windows), note),)
    if doubt := counter.doubt():
        return Outcome(
            without_measurement(PROBE, Verdict.INCONCLUSIVE, doubt).verdicts, phases=phases
        )
    samples = route_samples(loads.sized)
    judged = statement_growth(samples, counted_by=counter.name, gap=counter.gap())
    return Outcome((judged.verdict,), judged.findings, phases=phases)


def _require_counts(ground: Ground) -> None:
    try:
        ground.require_probe()
    except NotOursError as error:
        raise NotOursError(f"{error.what}; --count-by=echo counts from its log") from error


@dataclass(slots=True, eq=False)
class _Served:
    """The application, and whether its tables may be filled."""

    rig: Rig | None = None
    """None where no rows can be added."""
    log: str = ""
    notes: list[str] = field(default_factory=list)

    def add(self, rows: int) -> None:
        """Bring every table to so many rows more than at the beginning."""
        if self.rig is None or not rows:
            return
        short = self.rig.grow_rows(rows).short
        self.notes = [f"{len(short)} tables got fewer: {short[0]}"] if short else []


def _served(ground: Ground) -> _Served:
    """Serve on a copy of the database, where that can be: nobody else finds its rows."""
    if ground.outside is not None:
        return _Served(notes=["no rows were added: its database is not ours"])
    is_echoing = ground.settings.count_by == "echo"
    try:
        serving = ground.serve(is_scratch=True, is_echoing=is_echoing)
    except IsolationError as error:
        serving = ground.serve(is_echoing=is_echoing)
        return _Served(None, serving.log, [f"no rows were added: {error.what}"])
    return _Served(ground.rig, serving.log)


def _paged(ground: Ground, scenario: Scenario) -> PagedPlan | None:
    if not scenario.is_planned:
        return None
    return paged_plan_behind(ground.url, ground.plan(), ground.settings.headers)


@dataclass(slots=True, eq=False)
class _Loads:
    """Stretches of load, one for each size."""

    ground: Ground
    scenario: Scenario
    counter: StatementCounter
    paged: PagedPlan | None
    sized: list[SizedLoad] = field(default_factory=list)
    windows: list[LoadWindow] = field(default_factory=list)

    def measure(self, page: int, rows: int) -> None:
        """Load with pages of a size, after so many rows were added."""
        users, seconds = self._users(), self._seconds()
        self.ground.tell(
            f"{counted(users, 'user')}, pages of {page} items, {rows} rows added, {seconds:g} s"
        )
        load = Load(
            users,
            seconds,
            plan=self.paged.of_size(page) if self.paged is not None else (),
            options=("--count-items", "--page-size", str(page), *self.counter.options),
        )
        measured = self.ground.measured(self.scenario, load, meanwhile=self.counter.watch)
        endpoints = {
            route.route: route.endpoint
            for route in measured.window.routes
            if route.endpoint is not None
        }
        counts = self.counter.counted(measured)
        self.sized.append(SizedLoad(rows, measured.result.tally, counts, endpoints))
        self.windows.append(measured.window)

    def notes(self) -> Iterator[str]:
        """What was done."""
        yield f"statements per request by {self.counter.name}"
        if self.paged is not None:
            yield f"{self.paged.paged} of {len(self.paged.plan)} routes have pages"

    def _users(self) -> int:
        return self.counter.users or self.ground.settings.users or _USERS

    def _seconds(self) -> float:
        is_read_late = self.ground.outside is not None and self.counter.users is None
        return self._loading_seconds() + (_READING_SECONDS if is_read_late else 0.0)

    def _loading_seconds(self) -> float:
        settings = self.ground.settings
        if settings.seconds:
            return settings.seconds
        routes = len(self.paged.plan) if self.paged is not None else _FEW_ROUTES
        least = ceil(routes * self.counter.seconds_per_route)
        return max(least, _SHORT_SECONDS if settings.is_short else _SECONDS)
