"""Pools of the reference application, run dry: each way to fail has its name, each twin passes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.campaign.drought.run import KEPT_REQUESTS, Beside, Dried, Meanwhile, run_dry
from harness.campaign.drought.story import Drought
from harness.campaign.drought.trials import tried
from harness.campaign.ground import Ground, Slice
from harness.campaign.probes.exhaustion import exhaustion as probe
from harness.campaign.scenario import Scenario, Settings, packaged
from harness.campaign.traffic import Load
from harness.checks.exhaustion import exhaustion
from harness.checks.load.classification import classified
from harness.checks.load.leak import leak
from harness.checks.load.retry_storm import retry_storm
from harness.findings import ProbeVerdict, Verdict
from harness.load.result import LoadResult
from harness.pool_choice import PoolChoice
from harness.rig.client import rig_process
from harness.rig.protocol import Serving
from harness.served import ServedApplication

pytestmark = pytest.mark.group("postgres")

TIMEOUT_SECONDS = 0.5
SIZE = 2
HOLD_SECONDS = 0.2
BESIDE = Beside("/health/live", "/tags")
IMPATIENT = """
from locust import constant, task
from harness.load.users import HarnessUser

class Impatient(HarnessUser):
    network_timeout = 0.3
    wait_time = constant(0)

    @task
    def slow(self) -> None:
        self.get("{path}")
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """The reference application, served with a small pool."""

    ground: Ground
    target: ServedApplication

    def dried(
        self,
        path: str,
        *,
        users: int,
        seconds: float = 1.0,
        is_locked: bool = False,
        scenario: Scenario | None = None,
    ) -> tuple[Dried, Slice]:
        """Send users to one route until nobody is served in time, and wait for the way back."""
        drought = Drought(
            users, SIZE, TIMEOUT_SECONDS, seconds, HOLD_SECONDS, is_locked, patience_seconds=2.0
        )
        load = Load(
            users,
            seconds + is_locked,
            plan=((f"GET {path.partition('?')[0]}", path),),
            kept_requests=KEPT_REQUESTS,
        )
        slices: list[Slice] = []

        def loaded(meanwhile: Meanwhile) -> LoadResult:
            traffic = scenario or packaged("exhaustion")
            measured = self.ground.measured(traffic, load, meanwhile=meanwhile, rest_seconds=1.0)
            slices.append(measured)
            return slices[0].result

        dried = run_dry(self.target, drought, beside=BESIDE, loaded=loaded, lock=self.locked)
        return dried, slices[0]

    def locked(self, seconds: float) -> tuple[float, float]:
        """All tables, by the rig."""
        rig = self.ground.required_rig("to lock tables")
        with rig.trouble("tables-locked", seconds=seconds) as facts:
            return facts["from_seconds"], facts["until_seconds"]


class _Mortal(Ground):
    """Serves an application that ends with the first timeout at its pool."""

    def serve(  # type: ignore[override]  # its further parameters are not used here
        self, pool: PoolChoice | None = None, *, workers: int | None = None
    ) -> Serving:
        environment = {"HARNESS_APP": "tests.campaign.bare_shop:make_mortal"}
        return super().serve(pool, workers=workers, environment=environment)


@pytest.fixture(scope="module")
def ground(pytestconfig: pytest.Config) -> Iterator[Ground]:
    own = {"HARNESS_POSTGRES": "embedded"} if "HARNESS_POSTGRES" in os.environ else {}
    with rig_process(environment={"TARGET_APP_LOAD_FAULTS": "true", **own}) as rig:
        started = rig.start(pytestconfig.rootpath)
        yield Ground(Settings(is_short=True), lambda _step: None, rig=rig, started=started)


@pytest.fixture(scope="module")
def shop(ground: Ground) -> Shop:
    return served(ground)


def served(ground: Ground, **environment: str) -> Shop:
    pool = PoolChoice(SIZE, 0, TIMEOUT_SECONDS)
    serving = ground.serve(pool, environment=environment)
    target = ServedApplication(serving.url, serving.token, serving.workers, Path(serving.log))
    return Shop(ground, target)


def told(dried: Dried) -> tuple[str, ProbeVerdict]:
    verdict = exhaustion(dried.story, noise="the machine of a test run is anybody's")
    return verdict.summary.partition(":")[0], verdict


def test_an_application_that_answers_503_sheds_and_comes_back(shop: Shop) -> None:
    dried, measured = shop.dried("/twins/retry-storm/pool-timeout?milliseconds=200", users=20)

    word, verdict = told(dried)
    assert (word, verdict.verdict) == ("sheds", Verdict.PASS), verdict
    assert retry_storm(measured.window, dried.story) == ()
    story = dried.story
    assert story.checked_out_at_rest == 0
    assert story.served_wait is not None
    assert 0 < story.served_wait.max_seconds <= 4 * TIMEOUT_SECONDS  # for a busy machine's sake
    assert story.without_database is not None
    assert story.without_database.count > 0
    assert story.log_bytes
    assert story.recovery_seconds is not None
    assert story.outcomes[0].offset_seconds < story.blocked_from_seconds


def test_routes_that_use_two_engines_are_told_apart_by_their_pools(shop: Shop) -> None:
    plan = (("GET /tags", "/tags"), ("GET /sync/todos", "/sync/todos"))

    tags, todos = tried(shop.target, plan, seconds=5.0)

    assert len(tags.pools) == len(todos.pools) == 1
    assert tags.pools.isdisjoint(todos.pools)


def test_while_tables_are_locked_nobody_is_served_and_then_everybody(shop: Shop) -> None:
    dried, _ = shop.dried("/tags", users=8, seconds=2.0, is_locked=True)

    word, verdict = told(dried)
    assert (word, verdict.verdict) == ("sheds", Verdict.PASS), verdict
    story = dried.story
    assert not story.has_served_while_dry
    assert story.blocked_until_seconds - story.blocked_from_seconds >= 2.0
    assert story.served_wait is None
    assert story.checked_out_at_rest == 0


def test_a_retry_at_once_is_named_with_its_route(shop: Shop) -> None:
    dried, measured = shop.dried(
        "/faults/retry-storm/pool-timeout?milliseconds=200", users=60, seconds=2.0
    )

    (finding,) = retry_storm(measured.window, dried.story)
    assert finding.anchor == "GET /faults/retry-storm/pool-timeout"
    assert finding.site is not None
    assert finding.site.function == "count_with_retries"


def test_a_statement_without_a_limit_hangs_for_its_client_and_its_twin_does_not(
    shop: Shop, tmp_path: Path
) -> None:
    patient = _users(tmp_path, "/twins/runaway-query/sleep?milliseconds=1500", patience=1.5)
    twin, _ = shop.dried("/", users=12, scenario=patient)
    runaway = _users(tmp_path, "/faults/runaway-query/sleep?milliseconds=1500", patience=0.8)
    fault, _ = shop.dried("/", users=12, seconds=2.0, scenario=runaway)

    assert told(twin)[0] == "sheds"
    assert told(fault)[0] == "hangs"
    assert told(fault)[1].verdict is Verdict.FAIL


def test_a_sync_pool_on_the_loop_stalls_routes_without_a_database(shop: Shop) -> None:
    dried, _ = shop.dried("/faults/sync-on-loop/session?milliseconds=50", users=10, seconds=2.0)

    word, verdict = told(dried)
    assert (word, verdict.verdict) == ("stalls", Verdict.FAIL), verdict


def test_the_same_in_threads_does_not_stall(shop: Shop) -> None:
    dried, _ = shop.dried("/twins/sync-on-loop/session?milliseconds=200", users=20)

    assert told(dried)[1].verdict is Verdict.PASS, told(dried)


def test_a_lock_around_a_call_wastes_the_pool_and_its_twin_does_not(shop: Shop) -> None:
    fault, _ = shop.dried("/faults/lock-held/row?milliseconds=200", users=16, seconds=2.0)
    twin, _ = shop.dried("/twins/lock-held/row?milliseconds=200", users=16)

    assert "wasteful: " in exhaustion(fault.story).summary
    assert "wasteful: " not in exhaustion(twin.story).summary


def test_a_pool_that_is_larger_than_the_server_is_named_at_the_first_request(
    ground: Ground,
) -> None:
    ground.serve()
    found = [
        _kinds(ground, f"/{name}/pool-larger-than-server/fleet") for name in ("twins", "faults")
    ]

    assert [kinds & {"pool-larger-than-server"} for kinds in found] == [
        set(),
        {"pool-larger-than-server"},
    ]


def _kinds(ground: Ground, path: str) -> set[str]:
    load = Load(1, 1.0, plan=((f"GET {path}", path),))
    window = ground.measured(packaged("browse"), load).window
    return {finding.kind for finding in classified([window]).findings}


def test_without_an_answer_for_an_empty_pool_there_are_errors(ground: Ground) -> None:
    bare = served(ground, HARNESS_APP="tests.campaign.bare_shop:make")
    dried, _ = bare.dried("/twins/retry-storm/pool-timeout?milliseconds=200", users=20)

    word, verdict = told(dried)
    assert (word, verdict.verdict) == ("errors", Verdict.FAIL), verdict
    assert dried.story.log_bytes is not None
    assert dried.story.log_bytes > 0


def test_the_probe_finds_the_routes_itself_and_tells_the_whole_story(ground: Ground) -> None:
    plan = (
        ("GET /health/live", "/health/live"),
        ("GET /tags", "/tags"),
        ("GET /capacity/sleep", "/capacity/sleep?milliseconds=200"),
    )
    own = replace(ground, settings=Settings(is_short=True, plan=plan))

    outcome = probe(own, packaged("exhaustion"))

    (verdict,) = outcome.verdicts
    assert verdict.verdict in {Verdict.PASS, Verdict.WARN}, verdict
    assert verdict.summary.startswith("sheds: ")
    before, exhausted = (phase.windows[0] for phase in outcome.phases)
    assert before.client.users == 1
    assert exhausted.client.users >= 8
    assert {route.route for route in before.routes} == {"GET /capacity/sleep"}
    story, (timeline,) = outcome.exhaustion, outcome.troubles
    assert story is not None
    assert story.has_served_while_dry
    assert story.hold_seconds is not None
    assert story.hold_seconds >= 0.2
    assert timeline.setting.startswith("GET /tags ten times a second")
    assert timeline.begins_seconds < timeline.ends_seconds
    assert ("connections out at rest", "0") in timeline.facts
    assert timeline.facts[0][0].startswith("GET /health/live, without a database")


def test_an_application_that_an_empty_pool_ends_collapses(ground: Ground) -> None:
    plan = (("GET /tags", "/tags"), ("GET /capacity/sleep", "/capacity/sleep?milliseconds=200"))
    settings = Settings(is_short=True, plan=plan)
    mortal = _Mortal(settings, ground.tell, rig=ground.rig, started=ground.started)

    outcome = probe(mortal, packaged("exhaustion"))

    (verdict,) = outcome.verdicts
    assert verdict.verdict is Verdict.FAIL, verdict
    assert verdict.summary.startswith("collapses: ")
    assert ("server processes at rest", "0, 2 at most") in outcome.troubles[0].facts


def test_a_session_that_nobody_closes_leaks_and_names_the_line(ground: Ground) -> None:
    leaking = served(ground)
    dried, measured = leaking.dried("/faults/leak/never-closed", users=8)

    word, verdict = told(dried)
    assert (word, verdict.verdict) == ("leaks", Verdict.FAIL), verdict
    sites = {finding.site.function for finding in leak(measured.window).findings if finding.site}
    assert "count_users" in sites


def _users(folder: Path, path: str, *, patience: float) -> Scenario:
    file = folder / f"users_{abs(hash(path))}.py"
    text = IMPATIENT.replace("0.3", str(patience)).format(path=path)
    file.write_text(text, encoding="utf-8")
    return Scenario("exhaustion", file)
