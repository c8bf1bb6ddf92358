"""A steady mix: whether all is answered well, and if not quickly, why."""

from __future__ import annotations

from harness.campaign.ground import Ground
from harness.campaign.outcome import Outcome
from harness.campaign.scenario import Scenario
from harness.campaign.traffic import Load
from harness.checks.load.classification import classified
from harness.checks.load.figures import counted
from harness.findings import Verdict
from harness.report.load_content import Phase

__all__ = ["browse"]

_USERS = 8
_SECONDS, _SHORT_SECONDS = 20.0, 6.0
_WARM_UP_SECONDS = 1.0


def browse(ground: Ground, scenario: Scenario) -> Outcome:
    """Load the application with a steady mix, and classify what limits it."""
    settings = ground.settings
    users = settings.users or _USERS
    seconds = settings.seconds or (_SHORT_SECONDS if settings.is_short else _SECONDS)
    ground.tell(
        f"{counted(users, 'user')} {'browses' if users == 1 else 'browse'} for {seconds:g} s"
    )
    load = Load(users, seconds, warm_up_seconds=_WARM_UP_SECONDS)
    measured = ground.measured(scenario, load)
    told = classified([measured.window])
    of_clients = (item for item in measured.result.verdicts if item.verdict is not Verdict.SKIPPED)
    return Outcome(
        verdicts=(*of_clients, told.verdict),
        findings=told.findings,
        phases=(Phase("browse", (measured.window,), f"{counted(users, 'user')}, {seconds:g} s"),),
        classification=told,
        explained=measured.window,
    )
