"""The way back: troubles of the database under a steady load of readers and writers.

One after the other; what cannot be done here is skipped with the reason, and the others go on.
After each the writes that were answered well are looked up.
"""

from __future__ import annotations

from harness.campaign.ground import Ground
from harness.campaign.outcome import Outcome
from harness.campaign.recovering.holding import Holding
from harness.campaign.recovering.plan import Form, form_of
from harness.campaign.recovering.run import Run
from harness.campaign.recovering.writes import opened_ledger
from harness.campaign.scenario import Scenario
from harness.errors import ConfigurationError, UnreachableTargetError
from harness.pool_choice import PoolChoice

__all__ = ["recovery"]


def recovery(ground: Ground, scenario: Scenario) -> Outcome:
    """Put an application through troubles of its database, and judge its way back from each."""
    form = form_of(ground.settings)
    if ground.rig is not None:
        _serve(ground, form)
    run = Run(ground, Holding(ground, scenario, form, opened_ledger(ground)))
    ground.so_far = run.so_far
    run.first()
    for trouble in form.troubles:
        run.then(trouble)
    return run.outcome()


def _serve(ground: Ground, form: Form) -> None:
    pool = PoolChoice(pool_timeout=form.pool_timeout_seconds)
    try:
        ground.serve(pool, is_proxied=True)
    except (ConfigurationError, UnreachableTargetError):  # a unix socket, which has no network
        ground.serve(pool)
