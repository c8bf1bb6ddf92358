"""What probes stand on where the application is somebody's that runs already."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.campaign.ground import Ground, NotOursError
from harness.campaign.outside import OutsideTarget
from harness.campaign.scenario import Scenario, Settings, packaged
from harness.campaign.traffic import Load, Traffic
from harness.errors import ServerStartError
from tests.load.conftest import CountingServer


@pytest.fixture
def ground(server: CountingServer) -> Ground:
    """On the server that counts, which has no probe."""
    return Ground(Settings(), lambda _step: None, outside=OutsideTarget(server.url))


def interrupted(_running: Traffic) -> None:
    raise KeyboardInterrupt


def test_planned_traffic_gets_the_routes_that_openapi_tells(
    ground: Ground, server: CountingServer
) -> None:
    measured = ground.measured(packaged("browse"), Load(2, 1.0), rest_seconds=0.0)

    assert set(server.answered) == {"/pages"}
    assert measured.window.client.requests == measured.result.tally.requests == len(server.answered)


def test_an_application_without_a_probe_has_clients_and_machine_in_its_window(
    ground: Ground,
) -> None:
    window = ground.measured(packaged("browse"), Load(1, 1.0)).window

    assert (window.processes, window.pools, window.server) == (0, (), None)
    assert window.machine is not None
    assert window.client.requests > 0


def test_an_interruption_keeps_what_was_counted_until_then(
    ground: Ground, server: CountingServer
) -> None:
    def later(running: Traffic) -> None:
        assert server.some.wait(20)
        interrupted(running)

    with pytest.raises(KeyboardInterrupt):
        ground.measured(packaged("browse"), Load(2, 60.0), meanwhile=later)

    (window,) = ground.windows
    assert window.client.requests == len(server.answered) > 0


def test_traffic_that_does_not_start_leaves_no_window(ground: Ground, tmp_path: Path) -> None:
    file = tmp_path / "empty.py"
    file.write_text("", "utf-8")

    with pytest.raises(ServerStartError, match="Locust ended too early"):
        ground.measured(Scenario("browse", file), Load(1, 1.0))

    assert ground.windows == []


def test_whoever_needs_the_server_is_told_why_there_is_none(ground: Ground) -> None:
    with pytest.raises(NotOursError) as caught:
        ground.serve()

    assert "was not started here, which is needed to serve it with other parameters" in str(
        caught.value
    )
