"""Holds the probes in their order, and makes one report of what they found.

A probe that cannot be held is `skipped`, one that could not be measured `inconclusive`, each with
the reason, and the next one is held. Whatever ends the campaign early, what is known by then is
told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from harness.campaign.ground import Ground, NotOursError
from harness.campaign.outcome import Outcome, without_measurement
from harness.campaign.outside import OutsideTarget
from harness.campaign.probes import PROBES
from harness.campaign.reporting import report_of
from harness.campaign.scenario import Scenario, Settings
from harness.campaign.traffic import require_locust
from harness.config import Project
from harness.errors import HarnessError, MisuseError, RigError
from harness.findings import Verdict
from harness.load.safety import require_answer, require_own_target
from harness.report.load_content import LoadReport
from harness.rig.client import rig_process
from harness.rig.trouble.refusal import CannotTroubleError

__all__ = ["Campaign", "campaign_ground"]

Watch = Callable[[str], None]


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
        MisuseError: The host may not be loaded.
        HarnessError: There is nothing to load.
    """
    require_locust()
    if settings.host:
        require_own_target(settings.host, is_owned=settings.is_owned_target)
        require_answer(settings.host)
        target = OutsideTarget(settings.host.rstrip("/"), settings.token)
        yield Ground(settings, step, outside=target)
        return
    project.required_app()
    with rig_process(progress=detail) as rig:
        step("starting a database and the application")
        yield Ground(settings, step, rig=rig, started=rig.start(project.root))


@dataclass(slots=True, eq=False)
class Campaign:
    """Probes and what they have found so far.

    Attributes:
        project: With the allowances.
        ground: What probes stand on.
        scenarios: In the order in which they are held.
    """

    project: Project
    ground: Ground
    scenarios: Sequence[Scenario]
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
        for scenario in self.scenarios:
            self.outcomes[scenario.probe] = without_measurement(
                scenario.probe, Verdict.INCONCLUSIVE, "interrupted before it had an answer"
            )
            self.outcomes[scenario.probe] = self._held(scenario)

    def report(self) -> LoadReport:
        """What is known so far."""
        return report_of(
            tuple(self.outcomes.values()),
            project=self.project,
            ground=self.ground,
            started_at=self._began_at,
            seconds=time.perf_counter() - self._began,
        )

    def _held(self, scenario: Scenario) -> Outcome:
        probe = PROBES[scenario.probe]
        try:
            return probe(self.ground, scenario)
        except (NotOursError, CannotTroubleError) as error:
            return without_measurement(scenario.probe, Verdict.SKIPPED, error.what)
        except (MisuseError, RigError):
            raise
        except HarnessError as error:
            why = " ".join((error.what, *error.where.splitlines()[-1:]))
            return without_measurement(scenario.probe, Verdict.INCONCLUSIVE, why)
