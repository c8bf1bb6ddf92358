"""Holds one trouble: a stretch of load with something in the middle of it.

All troubles but the first happen while users go on. The first is that they do not: the load stops,
the connections that nobody uses are ended, and the load comes back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil

from harness.campaign.backends import backends_of
from harness.campaign.ground import Ground, NotOursError, Slice
from harness.campaign.recovering.plan import Form, Trouble
from harness.campaign.recovering.story import Held, joined
from harness.campaign.recovering.writes import Ledger
from harness.campaign.scenario import Scenario
from harness.campaign.traffic import Load, Traffic
from harness.checks.load.figures import counted
from harness.errors import HarnessError
from harness.rig.client import Rig
from harness.rig.protocol import Json
from harness.rig.trouble.refusal import CannotTroubleError

__all__ = ["IDLE", "Holding"]

IDLE = "recovery-idle"
_MOST_SAMPLES = 200_000
"""Requests that are kept one by one: 14 MB on their way here."""


@dataclass(slots=True, eq=False)
class Holding:
    """What is the same for all troubles."""

    ground: Ground
    scenario: Scenario
    form: Form
    ledger: Ledger | str
    """Or why there is none."""

    def backends(self) -> int | None:
        """Connections that the server has of the application; None where nobody can tell."""
        with suppress(HarnessError):
            return backends_of(self.ground.required_rig("to count connections"))
        return None

    def why_not(self, trouble: Trouble) -> str:
        """Why a trouble cannot be made here, as far as that is known before any load; or empty."""
        try:
            self._rig_for(trouble)
        except NotOursError as error:
            return error.what
        started = self.ground.started
        return started.why_no_activity if started is not None else ""

    def idle(self) -> tuple[Held, Slice]:
        """The load stops, and comes back; also tells the stretch before it."""
        first = self._loaded(IDLE, self.form.before_seconds + self.form.trouble_seconds)
        ended = self._end_idle_connections()
        second = self._loaded(IDLE, self.form.seconds - self.form.before_seconds)
        samples, shift = joined(first, second)
        setting = f"no load for {shift - first.result.seconds:.1f} s"
        held = Held(
            probe=IDLE,
            name="load stopped",
            setting=f"{setting}; {ended}" if ended else setting,
            begins_seconds=first.result.seconds,
            ends_seconds=shift,
            down_seconds=0.0,
            samples=samples,
            until_seconds=shift + second.result.seconds,
            slices=(first, second),
            leaves_stale=True,
            backends=self.backends(),
            processes_gone=self._processes_gone(first, second),
        )
        return held, first

    def trouble(self, trouble: Trouble) -> Held:
        """Something happens while the load goes on.

        Raises:
            NotOursError: The target was not started here.
            CannotTroubleError: It cannot be done to this server.
        """
        rig = self._rig_for(trouble)
        moments: list[float] = []
        told: dict[str, Any] = {}

        def meanwhile(_traffic: Traffic) -> None:
            time.sleep(self.form.before_seconds)
            moments.append(time.monotonic())
            with rig.trouble(trouble.what, **trouble.options) as facts:
                told.update(facts)
                if trouble.is_lasting:
                    time.sleep(self.form.trouble_seconds)
            moments.append(time.monotonic())

        seconds = self.form.seconds + trouble.making_seconds
        measured = self._loaded(trouble.probe, seconds, meanwhile=meanwhile)
        begun, ended = (moment - measured.result.started_seconds for moment in moments)
        return Held(
            probe=trouble.probe,
            name=trouble.name,
            setting="; ".join(filter(None, (trouble.setting, _done(told)))),
            begins_seconds=begun,
            ends_seconds=ended,
            down_seconds=self.form.trouble_seconds if trouble.is_lasting else ended - begun,
            samples=measured.result.samples,
            until_seconds=measured.result.seconds,
            slices=(measured,),
            leaves_stale=trouble.leaves_stale,
            backends=self.backends(),
            processes_gone=self._processes_gone(measured),
        )

    def _rig_for(self, trouble: Trouble) -> Rig:
        return self.ground.required_rig(f"for the trouble '{trouble.name}'")

    def _processes_gone(self, *slices: Slice) -> int:
        """Processes of ours that have ended; of somebody else's nobody here can tell."""
        if self.ground.rig is None:
            return 0
        last = slices[-1].stretch
        known = {pid for measured in slices for pid in measured.stretch.before}
        return sum(not _is_running(pid) for pid in known - (last.at_rest or last.after).keys())

    def _loaded(
        self,
        stretch: str,
        seconds: float,
        *,
        meanwhile: Callable[[Traffic], None] | None = None,
    ) -> Slice:
        load = Load(
            self.form.users,
            seconds,
            kept_requests=_MOST_SAMPLES,
            options=self.ledger.options(stretch) if isinstance(self.ledger, Ledger) else (),
        )
        return self.ground.measured(self.scenario, load, meanwhile=meanwhile)

    def _end_idle_connections(self) -> str:
        """As a firewall does over night; what was done, or nothing where that cannot be done."""
        with suppress(NotOursError, CannotTroubleError):
            rig = self.ground.required_rig("to end idle connections")
            with rig.trouble("backends-killed") as facts:
                return f"its {_done(facts)}"
        return ""


def _is_running(pid: int) -> bool:
    """Whether it has not ended; one that has is still listed until its parent takes note."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _done(facts: Json) -> str:
    """What a trouble says of itself, as far as numbers make it plainer."""
    if "killed" in facts:
        return f"{counted(len(facts['killed']), 'connection')} ended meanwhile"
    if "taken" in facts:
        return f"{counted(facts['taken'], 'connection')} taken"
    return ""
