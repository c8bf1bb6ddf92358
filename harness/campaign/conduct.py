"""Holds the probes in their order, and makes one report of what they found.

A probe that cannot be held is `skipped`, one that could not be measured `inconclusive`, each with
the reason, and the next one is held. Whatever ends the campaign early, what is known by then is
told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from harness.campaign.counting.choosing import require_sense
from harness.campaign.ground import Ground, NotOursError
from harness.campaign.outcome import Outcome, without_measurement, worst
from harness.campaign.outside import OutsideTarget
from harness.campaign.probes import PROBES, Probe
from harness.campaign.remarks import on_empty_tables, with_caveat, with_exception
from harness.campaign.reporting import report_of
from harness.campaign.scenario import Scenario, Settings
from harness.campaign.traffic import require_locust
from harness.config import Project
from harness.errors import HarnessError, MisuseError, RigError
from harness.findings import Verdict
from harness.load.safety import require_answer, require_own_target
from harness.report.load_content import LoadReport, Phase
from harness.rig.client import rig_process
from harness.rig.trouble.refusal import CannotTroubleError

__all__ = ["Campaign", "campaign_ground"]

Watch = Callable[[str], None]

_TROUBLED = frozenset({"exhaustion", "recovery"})
"""Probes that bring errors about: what was raised last need not be what they are judged by."""
_TOO_LATE = "the campaign ended before it was held"


@contextmanager
def campaign_ground(
    project: Project, settings: Settings, *, step: Watch, detail: Watch
) -> Iterator[Ground]:
    """What probes stand on, for the block: what is started here ends with it.

    Args:
        project: Whose application is served, where the settings name no host.
        settings: What the user said.
        step: Told of each step.
        detail: Told of what the rig says meanwhile.

    Raises:
        MisuseError: The host may not be loaded, or the settings contradict each other.
        HarnessError: There is nothing to load.
    """
    require_locust()
    require_sense(settings)
    if settings.host:
        require_own_target(settings.host, is_owned=settings.is_owned_target)
        require_answer(settings.host)
        target = OutsideTarget(settings.host.rstrip("/"), settings.token)
        yield Ground(settings, step, outside=target, write=project.configuration.write)
        return
    project.required_app()
    with rig_process(progress=detail) as rig:
        step("starting a database and the application")
        started = rig.start(project.root)
        yield Ground(settings, step, rig=rig, started=started, write=project.configuration.write)


@dataclass(slots=True, eq=False)
class Campaign:
    """Probes and what they have found so far.

    Attributes:
        project: With the allowances.
        ground: What probes stand on.
        scenarios: In the order in which they are held.
        probes: All that there are.
    """

    project: Project
    ground: Ground
    scenarios: Sequence[Scenario]
    probes: Mapping[str, Probe] = field(default_factory=lambda: PROBES)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """By probe."""
    _began: float = field(default_factory=time.perf_counter)
    _began_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def run(self) -> None:
        """Hold all probes.

        Raises:
            MisuseError: One is asked for in a way that makes no sense.
            RigError: What serves the application is gone.
        """
        for number, scenario in enumerate(self.scenarios, 1):
            name = scenario.probe
            self.ground.windows.clear()
            self.ground.so_far = None
            if len(self.scenarios) > 1:
                self.ground.tell(f"{name}, {number} of {len(self.scenarios)}")
            self.ground.raised = ""
            try:
                self.outcomes[name] = self._completed(scenario, self._held(scenario))
            except BaseException as error:
                self.outcomes[name] = self._cut_short(scenario, _why(error))
                raise
            self.ground.tell(f"{name}: {worst(_verdicts(self.outcomes[name]))}")

    def report(self) -> LoadReport:
        """What is known so far, and which probes are not held yet."""
        held = self.outcomes
        missing = (item.probe for item in self.scenarios if item.probe not in held)
        not_held = (without_measurement(name, Verdict.SKIPPED, _TOO_LATE) for name in missing)
        return report_of(
            (*held.values(), *on_empty_tables(self.ground), *not_held),
            project=self.project,
            ground=self.ground,
            started_at=self._began_at,
            seconds=time.perf_counter() - self._began,
        )

    def _held(self, scenario: Scenario) -> Outcome:
        probe = self.probes[scenario.probe]
        self.ground.stop_serving()  # nobody finds the pool that another probe has set
        try:
            return probe(self.ground, scenario)
        except (NotOursError, CannotTroubleError) as error:
            return without_measurement(scenario.probe, Verdict.SKIPPED, error.what)
        except MisuseError:
            raise
        except HarnessError as error:
            # A rig that is still there has only failed to do what this probe wanted of it.
            if isinstance(error, RigError) and self.ground.has_lost_rig:
                raise
            return self._cut_short(scenario, _why(error))

    def _completed(self, scenario: Scenario, outcome: Outcome) -> Outcome:
        """With what the ground has seen besides."""
        raised = "" if scenario.probe in _TROUBLED else self.ground.raised
        is_on_empty = scenario.probe in self.ground.empty_tables
        return with_exception(with_caveat(outcome) if is_on_empty else outcome, raised)

    def _cut_short(self, scenario: Scenario, why: str) -> Outcome:
        """What the probe can say by then, or at least the stretches of load that there were."""
        if self.ground.so_far is not None:
            try:
                return self.ground.so_far(why)
            except Exception as error:  # noqa: BLE001 - what ended the probe is raised in its place
                why = f"{why}; what was known by then cannot be told: {_why(error)}"
        windows = tuple(self.ground.windows)
        phases = (Phase(scenario.probe, windows, "what there was until then"),) if windows else ()
        outcome = without_measurement(scenario.probe, Verdict.INCONCLUSIVE, why)
        return replace(outcome, phases=phases)


def _verdicts(outcome: Outcome) -> list[Verdict]:
    return [item.verdict for item in outcome.verdicts]


def _why(error: BaseException) -> str:
    if isinstance(error, HarnessError):
        return " ".join((error.what, *error.where.splitlines()[-1:]))
    if isinstance(error, KeyboardInterrupt):
        return "interrupted before it had an answer"
    return f"ended by a fault of the harness: {error!r}"
