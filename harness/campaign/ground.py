"""What probes stand on: an application that answers, and stretches of load on it that are watched.

Either the rig serves the application, with its own database, and may do anything to both; or it is
somebody's that runs already, of which only the probe's status can be read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import ClassVar

from harness.campaign.outcome import Outcome
from harness.campaign.outside import OutsideTarget, plan_behind
from harness.campaign.raised import last_raised, log_bytes
from harness.campaign.scenario import Scenario, Settings
from harness.campaign.traffic import Load, Traffic, traffic
from harness.capture.differences import load_window
from harness.capture.windows import LoadWindow
from harness.checks.load.validity import NO_PROBE
from harness.config import WriteRoute
from harness.errors import HarnessError, MisuseError
from harness.load.result import LoadResult, client_window
from harness.load.routes import Plan
from harness.pool_choice import PoolChoice
from harness.rig.client import Rig
from harness.rig.protocol import Serving, Started, Stretch
from harness.rig.reading import Window, begun_window

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
    so_far: Callable[[str], Outcome] | None = None
    """Of the present probe, where it knows more than that: what it can say, given why it ends."""
    raised: str = ""
    """Of the present probe: what the application that we serve raised last while it answered with
    server errors, as its log says."""
    empty_tables: dict[str, int] = field(default_factory=dict)
    """By probe that has loaded an application whose tables have no row: how many these are."""
    _serving: Serving | None = None
    _begun: Window | None = None
    _ending: Future[Stretch] | None = None
    """Of the stretch that is under way, once anybody has asked for its end."""
    _plan: Plan = ()
    _log_bytes: int = 0
    """How long the log of what is served was as the present stretch began."""

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

    @property
    def has_lost_rig(self) -> bool:
        """Whether nobody is there who could serve the application once more."""
        return self.rig is None or self.rig.process.poll() is not None

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

    def require_probe(self) -> None:
        """Refuse, before anybody is loaded, what only the probe in the application can tell.

        Raises:
            NotOursError: There is none, or nobody may ask it.
        """
        if self.outside is None:
            return
        told = self.outside.told()
        if not told.statuses and not told.silent:
            raise NotOursError(NO_PROBE)

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
            self._plan = self.settings.plan or plan_behind(self.url, self.settings.headers)
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
        asked = replace(
            asked,
            options=(*self.settings.locust_options, *asked.options),
            is_owned_target=self.settings.is_owned_target,
            headers=self.settings.headers,
        )
        known = len(self.windows)
        with traffic(scenario, asked, host=self.url) as running:
            running.await_counting()
            self._look_at_served(scenario)
            self._begin([running.process.pid])
            try:
                if meanwhile is not None:
                    meanwhile(running)
                running.await_end()
                return self._seen(running, rest_seconds=rest_seconds)
            except KeyboardInterrupt:
                if len(self.windows) == known:
                    with suppress(HarnessError):
                        running.interrupt()
                        self._seen(running, rest_seconds=0.0)
                raise

    def _seen(self, running: Traffic, *, rest_seconds: float) -> Slice:
        stretch = self._stretch(rest_seconds)
        result = running.result()
        window = _window(stretch, result)
        if window.client.errors or window.client.shed:
            log = self._serving.log if self._serving is not None else ""
            self.raised = last_raised(log, since_bytes=self._log_bytes) or self.raised
        self.windows.append(window)
        return Slice(window, result, stretch)

    def _look_at_served(self, scenario: Scenario) -> None:
        if self._serving is None:
            return
        self._log_bytes = log_bytes(self._serving.log)
        if self._serving.empty_tables:
            self.empty_tables[scenario.probe] = self._serving.empty_tables

    def _begin(self, generators: list[int]) -> None:
        self._ending = None
        if self.rig is not None:
            self.rig.begin_window(generators)
        elif self.outside is not None:
            self._begun = begun_window(self.outside, generators)

    def _stretch(self, rest_seconds: float) -> Stretch:
        """What was seen of it, by a thread: it ends only once, and Ctrl-C comes to the main one."""
        if self._ending is None or self._ending.cancel():  # which one that has begun does not allow
            self._ending = Future()
            told = (self._ending, rest_seconds)
            threading.Thread(target=self._tell_end, args=told, daemon=True).start()
        return self._ending.result()

    def _tell_end(self, ending: Future[Stretch], rest_seconds: float) -> None:
        if ending.set_running_or_notify_cancel():
            try:
                ending.set_result(self._end(rest_seconds))
            except Exception as error:  # noqa: BLE001 - raised again where the stretch is awaited
                ending.set_exception(error)

    def _end(self, rest_seconds: float) -> Stretch:
        if self.rig is not None:
            return self.rig.end_window(rest_seconds=rest_seconds)
        if self._begun is not None:
            return self._begun.end(rest_seconds=rest_seconds)
        raise MisuseError("there is no target")


def _window(stretch: Stretch, result: LoadResult) -> LoadWindow:
    return load_window(
        seconds=stretch.seconds,
        client=client_window(result),
        before=stretch.before,
        after=stretch.after,
        at_rest=stretch.at_rest,
        silent=stretch.silent,
        server=stretch.server,
        machine=stretch.machine,
    )
