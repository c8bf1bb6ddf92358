"""What probes stand on: an application that answers, and stretches of load on it that are watched.

Either the rig serves the application, with its own database, and may do anything to both; or it is
somebody's that runs already, of which only the probe's status can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import ClassVar

from harness.campaign.outside import OutsideTarget, plan_behind
from harness.campaign.scenario import Scenario, Settings
from harness.campaign.traffic import Load, Traffic, traffic
from harness.capture.differences import load_window
from harness.capture.windows import LoadWindow
from harness.config import WriteRoute
from harness.errors import HarnessError, MisuseError
from harness.load.result import LoadResult, client_window
from harness.load.routes import Plan
from harness.pool_choice import PoolChoice
from harness.rig.client import Rig
from harness.rig.protocol import Serving, Started, Stretch

__all__ = ["Ground", "NotOursError", "Slice"]

_REST_SECONDS = 5.0


class NotOursError(HarnessError):
    """A probe needs what the target does not let it do: it is skipped."""

    slug: ClassVar[str] = "not-ours"


@dataclass(frozen=True, slots=True)
class Slice:
    """One stretch of load, from all sides."""

    window: LoadWindow
    result: LoadResult = field(repr=False)
    stretch: Stretch = field(repr=False)


@dataclass(slots=True, eq=False)
class Ground:
    """Serves, loads, watches. One stretch of load at a time.

    Attributes:
        settings: What the user said.
        tell: Told of each step, in a few words.
        rig: None where the target is not ours.
        started: What the rig has made; None without one.
        outside: The target that is not ours; None with a rig.
        write: How writes are sent and found again; None where nobody has said it.
    """

    settings: Settings
    tell: Callable[[str], None]
    rig: Rig | None = None
    started: Started | None = None
    outside: OutsideTarget | None = None
    write: WriteRoute | None = None
    windows: list[LoadWindow] = field(default_factory=list)
    """Of the present probe: what is known of one that is not allowed to end."""
    _serving: Serving | None = None
    _plan: Plan = ()

    @property
    def url(self) -> str:
        """Where the application answers; it is served, if it was not."""
        if self.outside is not None:
            return self.outside.url
        return (self._serving or self.serve()).url

    @property
    def token(self) -> str:
        """Opens the probe; empty where nobody knows it."""
        if self.outside is not None:
            return self.outside.token
        return (self._serving or self.serve()).token

    def required_rig(self, what: str) -> Rig:
        """The rig, for whoever needs the server, the database or another pool.

        Args:
            what: It is needed for: ``"to serve with other pool sizes"``.

        Raises:
            NotOursError: The target was not started here.
        """
        if self.rig is None:
            raise NotOursError(
                f"{self.url} was not started here, which is needed {what}",
                remedy="leave --host out",
            )
        return self.rig

    def serve(
        self,
        pool: PoolChoice | None = None,
        *,
        workers: int | None = None,
        environment: Mapping[str, str] | None = None,
        is_proxied: bool = False,
        is_scratch: bool = False,
        is_echoing: bool = False,
    ) -> Serving:
        """Serve the application anew; see `Rig.serve`.

        Raises:
            NotOursError: The target was not started here.
            ServerStartError: The application does not come up.
        """
        rig = self.required_rig("to serve it with other parameters")
        self._serving = None  # should this one not come up, the one before is gone all the same
        self._serving = rig.serve(
            pool,
            workers=workers or self.settings.workers,
            environment=environment,
            is_proxied=is_proxied,
            is_scratch=is_scratch,
            is_echoing=is_echoing,
        )
        return self._serving

    def stop_serving(self) -> None:
        """Whoever comes next serves anew, as it needs."""
        self._serving = None
        if self.rig is not None:
            self.rig.stop()

    def plan(self) -> Plan:
        """What planned traffic requests: what the user said, or what OpenAPI tells.

        Raises:
            MisuseError: There is nothing to request.
        """
        if not self._plan:
            self._plan = self.settings.plan or plan_behind(self.url)
        return self._plan

    def measured(
        self,
        scenario: Scenario,
        load: Load,
        *,
        meanwhile: Callable[[Traffic], None] | None = None,
        rest_seconds: float = _REST_SECONDS,
    ) -> Slice:
        """Load the application, and tell what everybody saw from the beginning of counting.

        Args:
            scenario: What users do. Planned traffic without a plan gets `plan`.
            load: How much.
            meanwhile: Called while counting goes on; when it returns, the end is awaited.
            rest_seconds: How long connections may still be out after the end; 0: nobody looks.

        Raises:
            ServerStartError: Locust did not run.
            RigError: The rig is gone.
        """
        asked = load
        if scenario.is_planned and not load.plan:
            asked = replace(load, plan=self.plan())
        asked = replace(asked, options=(*self.settings.locust_options, *asked.options))
        with traffic(scenario, asked, host=self.url) as running:
            running.await_counting()
            self._begin([running.process.pid])
            try:
                if meanwhile is not None:
                    meanwhile(running)
                running.await_end()
            except KeyboardInterrupt:
                with suppress(HarnessError):
                    running.interrupt()
                    self._seen(running, rest_seconds=0.0)
                raise
            return self._seen(running, rest_seconds=rest_seconds)

    def _seen(self, running: Traffic, *, rest_seconds: float) -> Slice:
        stretch = self._end(rest_seconds)
        result = running.result()
        window = _window(stretch, result)
        self.windows.append(window)
        return Slice(window, result, stretch)

    def _begin(self, generators: list[int]) -> None:
        if self.rig is not None:
            self.rig.begin_window(generators)
        elif self.outside is not None:
            self.outside.begin_window(generators)

    def _end(self, rest_seconds: float) -> Stretch:
        if self.rig is not None:
            return self.rig.end_window(rest_seconds=rest_seconds)
        if self.outside is not None:
            return self.outside.end_window(rest_seconds=rest_seconds)
        raise MisuseError("there is no target")


def _window(stretch: Stretch, result: LoadResult) -> LoadWindow:
    return load_window(
        seconds=stretch.seconds,
        client=client_window(result),
        before=stretch.before,
        after=stretch.after,
        at_rest=stretch.at_rest,
        server=stretch.server,
        machine=stretch.machine,
    )
