"""What probes stand on where the application is somebody's that runs already."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from harness.campaign.ground import Ground, NotOursError
from harness.campaign.outside import OutsideTarget
from harness.campaign.scenario import Scenario, Settings, packaged
from harness.campaign.traffic import Load, Traffic
from harness.capture.windows import Reading
from harness.errors import MisuseError, ServerStartError
from harness.rig.client import Rig
from harness.rig.protocol import Serving, Stretch
from harness.rig.reading import Window, begun_window
from tests.load.conftest import CountingServer


@pytest.fixture
def ground(server: CountingServer) -> Ground:
    """On the server that counts, which has no probe."""
    return Ground(Settings(), lambda _step: None, outside=OutsideTarget(server.url))


def interrupted(_running: Traffic) -> None:
    raise KeyboardInterrupt


@dataclass
class InterruptedRig:
    """Ctrl-C comes while it is asked for the end of a window, which it can tell only once."""

    url: str
    window: Window | None = None

    def serve(self, *_pool: object, **_options: object) -> Serving:
        return Serving(self.url, "token", ())

    def begin_window(self, generators: list[int]) -> None:
        self.window = begun_window(OutsideTarget(self.url), generators)

    def end_window(self, *, rest_seconds: float) -> Stretch:
        window, self.window = self.window, None
        if window is None:
            raise MisuseError("no window has begun")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return window.end(rest_seconds=rest_seconds)


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


def test_an_interruption_while_the_end_is_read_keeps_the_whole_stretch(
    server: CountingServer,
) -> None:
    rig = cast("Rig", InterruptedRig(server.url))
    ground = Ground(Settings(), lambda _step: None, rig=rig)

    with pytest.raises(KeyboardInterrupt):
        ground.measured(packaged("browse"), Load(2, 1.0))

    (window,) = ground.windows
    assert window.client.requests == len(server.answered) > 0


@pytest.mark.parametrize(
    ("is_owned", "why"), [(False, "is not this machine"), (True, "nothing answers at")]
)
def test_traffic_is_told_whether_another_machine_is_the_users_own(
    tmp_path: Path, why: str, *, is_owned: bool
) -> None:
    file = tmp_path / "reader.py"
    file.write_text(
        "from harness.load.users import HarnessUser\n\nclass Reader(HarnessUser): ...\n"
    )
    everybody = OutsideTarget("http://255.255.255.255:9")  # refused at once, without any network
    settings = Settings(is_owned_target=is_owned)
    ground = Ground(settings, lambda _step: None, outside=everybody)

    with pytest.raises(ServerStartError) as caught:
        ground.measured(Scenario("browse", file), Load(1, 1.0))

    assert why in caught.value.where


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


def test_a_process_that_tells_nothing_is_named_in_the_window(server: CountingServer) -> None:
    server.text = '{"pid": 7, "failure": "KeyError"}'
    ground = Ground(Settings(), lambda _step: None, outside=OutsideTarget(server.url, "token"))

    window = ground.measured(packaged("browse"), Load(1, 1.0), rest_seconds=0.0).window

    assert [(each.pid, each.reading) for each in window.unread] == [(7, Reading.BEGINNING)]
    assert window.unread[0].why.endswith("KeyError")
    assert window.processes == 1
