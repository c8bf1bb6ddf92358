"""What a drought comes to: verdict, causes, phases, and its story unless there was none. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.campaign.drought.dryness import judged_if_dry
from harness.campaign.drought.run import Dried
from harness.campaign.drought.story import Drought
from harness.campaign.drought.telling import Names, setting, timeline
from harness.campaign.outcome import Outcome
from harness.capture.windows import LoadWindow
from harness.checks.exhaustion import exhaustion
from harness.checks.exhaustion_limits import Backends
from harness.checks.load.blocked_loop import blocked_loop
from harness.checks.load.leak import leak
from harness.checks.load.retry_storm import retry_storm
from harness.checks.load.validity import Basis, invalid
from harness.findings import Finding, ProbeVerdict, Verdict
from harness.report.load_content import Phase

__all__ = ["ended"]


def ended(
    drought: Drought,
    dried: Dried,
    *,
    before: LoadWindow,
    meanwhile: LoadWindow,
    names: Names,
    backends: Backends,
) -> Outcome:
    """The answer of the probe.

    Args:
        drought: What was done.
        dried: What became of it.
        before: One user.
        meanwhile: All of them.
        names: Of the routes beside the load.
        backends: What was left at the server.
    """
    noise = invalid(meanwhile, Basis.SHARES)
    judged = exhaustion(dried.story, noise=noise, backends=backends)
    verdict = judged_if_dry(judged, dried.story, meanwhile)
    # Of a pool that never ran dry no picture may say what happened while it was.
    was_dry = verdict == judged
    return Outcome(
        verdicts=(verdict,),
        findings=(*retry_storm(meanwhile, dried.story), *_causes(verdict, meanwhile)),
        phases=(
            Phase("before", (before,), "one user"),
            Phase("exhausted" if was_dry else "not exhausted", (meanwhile,), setting(drought)),
        ),
        exhaustion=dried.story if was_dry else None,
        troubles=(timeline(drought, dried, names=names, backends=backends),) if was_dry else (),
    )


def _causes(verdict: ProbeVerdict, window: LoadWindow) -> Iterator[Finding]:
    """The lines behind a failure, where stacks and owners tell them; counts alone."""
    if verdict.verdict is Verdict.FAIL:
        yield from leak(window).findings
        yield from blocked_loop(window).findings
