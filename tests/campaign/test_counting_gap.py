"""Statements that one of several processes ran and nobody counted: no pass, and findings stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from harness.campaign.counting.stepped import SteppedCounter
from harness.campaign.ground import Ground, Slice
from harness.campaign.outside import OutsideTarget
from harness.campaign.probes.n_plus_one import n_plus_one
from harness.campaign.scenario import Scenario, Settings
from harness.campaign.traffic import Load, Traffic
from harness.capture.windows import LoadWindow, Reading, UnreadProcess
from harness.findings import Verdict
from harness.load.result import LoadResult
from harness.load.tally import Answer, Tally
from harness.rig.protocol import Stretch
from tests.checks.load.building import ROUTE, with_route
from tests.checks.load.recorded import CALM

REQUESTS = 4
LOST = UnreadProcess(4711, Reading.END, "it timed out after 5 s")


@dataclass(slots=True, eq=False)
class Growing(Ground):
    """An application that answers with as many items as it is asked for."""

    per_item: int = 0
    """Statements, beside one for each request."""
    unread: tuple[UnreadProcess, ...] = ()
    """In the last stretch of load but one."""
    stretches: int = 0

    def require_probe(self) -> None:
        """It has one, as its windows tell."""

    def measured(
        self,
        scenario: Scenario,
        load: Load,
        *,
        meanwhile: Callable[[Traffic], None] | None = None,
        rest_seconds: float = 5.0,
    ) -> Slice:
        """What its users and its status tell."""
        del scenario, meanwhile, rest_seconds
        self.stretches += 1
        size = int(load.options[load.options.index("--page-size") + 1])
        tally = Tally()
        for _ in range(REQUESTS):
            tally.add(ROUTE, Answer.OK, seconds=0.01, ended_seconds=0.5, items=size)
        statements = REQUESTS * (1 + size * self.per_item)
        window = with_route(CALM, requests=REQUESTS, statements=statements)
        return Slice(self._lacking(window), LoadResult(0.0, 1.0, 1, tally), cast("Stretch", None))

    def _lacking(self, window: LoadWindow) -> LoadWindow:
        return replace(window, unread=self.unread) if self.stretches == 2 else window


def growing(*unread: UnreadProcess, per_item: int = 0) -> Growing:
    target = OutsideTarget("http://127.0.0.1:1")
    settings = Settings(host=target.url, seconds=1.0)
    return Growing(settings, lambda _: None, outside=target, per_item=per_item, unread=unread)


SCENARIO = Scenario("n_plus_one", Path("own.py"))


def test_with_all_processes_counted_a_constant_route_passes() -> None:
    (told,) = n_plus_one(growing(), SCENARIO).verdicts

    assert told.verdict is Verdict.PASS


def test_with_one_that_was_not_it_is_inconclusive_and_told_which() -> None:
    (told,) = n_plus_one(growing(LOST), SCENARIO).verdicts

    assert told.verdict is Verdict.INCONCLUSIVE
    assert told.summary == (
        "process 4711 was not read at the end of the load: it timed out after 5 s"
    )


def test_a_route_that_grows_in_the_others_is_found() -> None:
    outcome = n_plus_one(growing(LOST, per_item=1), SCENARIO)

    assert [each.verdict for each in outcome.verdicts] == [Verdict.FAIL]
    assert [finding.anchor for finding in outcome.findings] == [ROUTE]


def test_what_a_server_or_a_log_counts_lacks_no_process() -> None:
    class Log:
        name = "a log"

        def take(self) -> Mapping[str, int]:
            return {}

        def doubt(self, requests: int) -> str:
            return str(requests)

    assert SteppedCounter(Log()).gap() == ""
