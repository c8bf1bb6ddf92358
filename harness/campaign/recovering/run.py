"""One trouble after the other, each judged at once; what cannot be made here is skipped.

Apart from the probe, which decides how the application is served and which troubles there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from harness.campaign.ground import Ground, NotOursError
from harness.campaign.outcome import Outcome
from harness.campaign.recovering.holding import IDLE, Holding
from harness.campaign.recovering.plan import Trouble
from harness.campaign.recovering.story import (
    Held,
    Stay,
    mean_hold_seconds,
    most_connections,
    picture_of,
    story_of,
)
from harness.capture.reckoning import Reckoning, Write
from harness.capture.windows import LoadWindow
from harness.checks.load.judged import Judged, cut_short, skipped, undecided
from harness.checks.load.leak import leak
from harness.checks.load.nothing_lost import PROBE as NOTHING_LOST
from harness.checks.load.nothing_lost import nothing_lost
from harness.checks.load.recovery import recovery
from harness.checks.load.validity import unread
from harness.errors import HarnessError, MisuseError, RigError
from harness.findings import Finding
from harness.report.load_content import Phase, Timeline
from harness.rig.trouble.refusal import CannotTroubleError

__all__ = ["Run"]

_TOO_LATE = "the probe ended before it was held"


@dataclass(slots=True, eq=False)
class Run:
    """What is known so far.

    Attributes:
        ground: What is loaded.
        holding: How troubles are held.
    """

    ground: Ground
    holding: Holding
    stay: Stay = field(default_factory=Stay)
    judged: list[Judged] = field(default_factory=list)
    lines: list[Finding] = field(default_factory=list)
    """Where connections were taken that are still out."""
    windows: list[LoadWindow] = field(default_factory=list)
    pictures: list[Timeline] = field(default_factory=list)
    reckonings: list[tuple[str, Reckoning]] = field(default_factory=list)
    unreckoned: list[str] = field(default_factory=list)

    def first(self) -> None:
        """The load stops and comes back; later troubles are held to what its beginning shows."""

        def idle() -> Held:
            held, before = self.holding.idle()
            self.stay = Stay(mean_hold_seconds(before.window), held.backends)
            return held

        self._held(IDLE, "load stopped", idle)

    def then(self, trouble: Trouble) -> None:
        """The next trouble."""
        if why_not := self.holding.why_not(trouble):  # a load would be for nothing
            self.judged.append(skipped(trouble.probe, why_not))
            return
        self._held(trouble.probe, trouble.name, lambda: self.holding.trouble(trouble))

    def outcome(self) -> Outcome:
        """All of it."""
        return self._told((*self.judged, self._nothing_lost()), self.windows)

    def so_far(self, why: str) -> Outcome:
        """Likewise, of a run that ends before it is over.

        Args:
            why: It does.
        """
        troubles = (IDLE, *(trouble.probe for trouble in self.holding.form.troubles))
        held = {item.verdict.probe for item in self.judged}
        missing = [probe for probe in troubles if probe not in held]
        ended = (undecided(probe, why) for probe in missing[:1])
        not_held = (skipped(probe, _TOO_LATE) for probe in missing[1:])
        is_known = self.reckonings or self.unreckoned or isinstance(self.holding.ledger, str)
        # What the troubles that were not held would have lost, those that were do not tell.
        writes = cut_short(self._nothing_lost(), why) if is_known else undecided(NOTHING_LOST, why)
        return self._told((*self.judged, *ended, *not_held, writes), self.ground.windows)

    def _told(self, judged: Sequence[Judged], windows: Sequence[LoadWindow]) -> Outcome:
        phase = Phase("recovery", tuple(windows), "one for each trouble, two around a stopped load")
        return Outcome(
            verdicts=tuple(item.verdict for item in judged),
            findings=(*(finding for item in judged for finding in item.findings), *self.lines),
            phases=(phase,) if windows else (),
            troubles=tuple(self.pictures),
        )

    def _held(self, probe: str, name: str, hold: Callable[[], Held]) -> None:
        form = self.holding.form
        self.ground.tell(f"{name}: {form.users} users, {form.seconds:g} s")
        try:
            self._judge(hold())
        except (NotOursError, CannotTroubleError) as error:
            self.judged.append(skipped(probe, error.what))
        except (MisuseError, RigError):
            raise
        except HarnessError as error:
            self.judged.append(undecided(probe, error.what))

    def _judge(self, held: Held) -> None:
        windows = [measured.window for measured in held.slices]
        self.windows += windows
        story = story_of(held, replace(self.stay, most_connections=most_connections(self.windows)))
        told = self._reckoned(held)
        self.pictures.append(picture_of(held, story, told))
        self.judged.append(recovery(story, unless=unread(windows[-1], at_rest=True)))
        if story.checked_out_at_rest:
            self.lines += leak(windows[-1]).findings

    def _reckoned(self, held: Held) -> tuple[tuple[str, str], ...]:
        """Look the writes up; what that says for the picture."""
        ledger = self.holding.ledger
        if isinstance(ledger, str):
            return ()
        writes: tuple[Write, ...] = tuple(
            write for measured in held.slices for write in measured.result.writes
        )
        try:
            reckoning = ledger.reckoned(held.probe, writes)
        except HarnessError as error:
            self.unreckoned.append(f"{held.name}: {error.what}")
            return (("writes lost", "unknown"),)
        self.reckonings.append((held.name, reckoning))
        return (
            ("writes lost", f"{len(reckoning.lost)} of {reckoning.answered}"),
            ("writes doubled", str(len(reckoning.doubled))),
        )

    def _nothing_lost(self) -> Judged:
        ledger = self.holding.ledger
        if isinstance(ledger, str):
            return skipped(NOTHING_LOST, ledger)
        routes = (route for window in self.windows for route in window.routes)
        sites = (route.endpoint for route in routes if route.route == ledger.name)
        site = next(filter(None, sites), None)
        judged = nothing_lost(self.reckonings, route=ledger.name, site=site)
        if self.unreckoned and not judged.findings:
            return undecided(NOTHING_LOST, "; ".join(self.unreckoned))
        return judged
