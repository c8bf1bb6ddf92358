"""Slices of a closed load on whatever is served: one user, a few, many.

A module of its own so that ramp and sweep count alike: nobody waits for what is in flight at the
end, whose answers would belong to no second of the slice.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.campaign.ground import Ground
from harness.campaign.scenario import Scenario
from harness.campaign.sizing.form import Form, baseline_seconds
from harness.campaign.sizing.plan import ramp_ends
from harness.campaign.traffic import Load
from harness.capture.windows import LoadWindow
from harness.checks.load.figures import counted, rate
from harness.checks.load.validity import FEWEST_SHARES, Basis, invalid, unread

__all__ = ["Slices"]

_WARM_UP_SECONDS = 1.0
"""Pools fill lazily, 14 ms for each connection, and statements are compiled once [measured]."""
_BASELINE_REST_SECONDS = 2.0


@dataclass(slots=True, eq=False)
class Slices:
    """Takes slices.

    Attributes:
        ground: What serves.
        scenario: What users do.
        form: How much is measured.
        spare: How many slices may still be taken again, all together: on a machine that stays busy
            three attempts at everything would be three times nothing.
    """

    ground: Ground
    scenario: Scenario
    form: Form
    spare: int
    repeated: int = 0

    def baseline(self) -> LoadWindow:
        """One user: what a request costs where nobody waits."""
        seconds = self.form.baseline_seconds
        window = self._alone(seconds)
        if (longer := _longer_baseline(window, self.form)) is not None:
            seconds = longer
            window = self._alone(seconds)
        tries = 0
        while _is_disturbed(window) and tries < self.form.repeats and self.spare > 0:
            tries, self.spare = tries + 1, self.spare - 1
            window = self._alone(seconds)
        return window

    def _alone(self, seconds: float) -> LoadWindow:
        self.ground.tell("one user: what a request holds and computes")
        load = Load(1, seconds, warm_up_seconds=_WARM_UP_SECONDS)
        rest_seconds = _BASELINE_REST_SECONDS
        return self.ground.measured(self.scenario, load, rest_seconds=rest_seconds).window

    def ramp(self) -> list[LoadWindow]:
        """1, 2, 4, … users, up to two steps after more of them stopped to bring more.

        Where somebody said how many users there are, no more than those.
        """
        windows: list[LoadWindow] = []
        users, most = 1, self.ground.settings.users or self.form.most_users
        while True:
            self.ground.tell(f"ramp: {counted(users, 'user')} on the application's own pool")
            windows.append(self._taken(users, self.form.step_seconds))
            rates = {window.client.users: rate(window) for window in windows}
            if users == most or min(rates.values()) <= 0 or ramp_ends(rates):
                return windows
            users = min(users * 2, most)

    def own(self, users: int, seconds: float) -> list[LoadWindow]:
        """The application's own pool; see `attempts`."""
        self.ground.tell(f"{counted(users, 'user')} on the application's own pool")
        return self.attempts(users, seconds, is_rest_awaited=True)

    def attempts(
        self, users: int, seconds: float, *, is_rest_awaited: bool = False
    ) -> list[LoadWindow]:
        """A slice, again where it may not be judged; the last one is the one that counts."""
        windows = [self._taken(users, seconds, is_rest_awaited=is_rest_awaited)]
        while invalid(windows[-1]) and len(windows) <= self.form.repeats and self.spare > 0:
            self.spare -= 1
            self.repeated += 1
            self.ground.tell(f"again: {invalid(windows[-1])}")
            windows.append(self._taken(users, seconds, is_rest_awaited=is_rest_awaited))
        return windows

    def _taken(self, users: int, seconds: float, *, is_rest_awaited: bool = False) -> LoadWindow:
        load = Load(users, seconds, warm_up_seconds=_WARM_UP_SECONDS, stop_seconds=0.0)
        rest_seconds = _BASELINE_REST_SECONDS if is_rest_awaited else 0.0
        return self.ground.measured(self.scenario, load, rest_seconds=rest_seconds).window


def _longer_baseline(window: LoadWindow, form: Form) -> float | None:
    """Where requests are slow, but neither refused nor left without a connection by a leak."""
    client = window.client
    if invalid(window, Basis.COUNTS) or client.ok < client.requests or window.outstanding:
        return None
    return baseline_seconds(window, form)


def _is_disturbed(window: LoadWindow) -> bool:
    """Whether another attempt may help: not where a route is slow, or nobody looked into it."""
    is_seen = not invalid(window, Basis.COUNTS) and window.client.requests >= FEWEST_SHARES
    return is_seen and bool(invalid(window, Basis.SHARES) or unread(window))
