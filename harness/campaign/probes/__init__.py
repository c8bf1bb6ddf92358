"""The probes by name, in the order of a campaign: the one place where they are registered.

Each is a function of the ground and a scenario; it serves, loads and judges, and says in the end
what it has found. The rest has a module for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.campaign.ground import Ground
from harness.campaign.outcome import Outcome
from harness.campaign.probes.browse import browse
from harness.campaign.probes.disconnect import disconnect
from harness.campaign.probes.exhaustion import exhaustion
from harness.campaign.probes.n_plus_one import n_plus_one
from harness.campaign.probes.pool_sizing import pool_sizing
from harness.campaign.probes.recovery import recovery
from harness.campaign.probes.soak import soak
from harness.campaign.probes.streaming import streaming
from harness.campaign.scenario import Scenario

__all__ = ["PROBES", "Probe"]

Probe = Callable[[Ground, Scenario], Outcome]

PROBES: Mapping[str, Probe] = {
    "browse": browse,
    "n_plus_one": n_plus_one,
    "pool_sizing": pool_sizing,
    "exhaustion": exhaustion,
    "recovery": recovery,
    "disconnect": disconnect,
    "streaming": streaming,
    "soak": soak,
}
