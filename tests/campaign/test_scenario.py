"""From the classes that Locust found to scenarios of probes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.campaign.probes import PROBES
from harness.campaign.scenario import Scenario, packaged, scenarios_from
from harness.errors import MisuseError

PROBE_NAMES = ("browse", "exhaustion", "soak")


def row(probe: str, user: str, file: str = "/loads/all.py") -> dict[str, object]:
    return {"probe": probe, "file": file, "user": user, "is_planned": False}


def found(*rows: dict[str, object]) -> list[Scenario]:
    return scenarios_from(json.dumps(rows), probes=PROBE_NAMES)


def test_scenarios_are_in_the_order_of_the_probes() -> None:
    scenarios = found(row("soak", "Long"), row("browse", "Reader"))

    assert [(item.probe, item.user) for item in scenarios] == [
        ("browse", "Reader"),
        ("soak", "Long"),
    ]


def test_classes_for_one_probe_load_together() -> None:
    (scenario,) = found(row("browse", "Reader"), row("browse", "Writer", "/loads/writer.py"))

    assert scenario.user == "Reader"
    assert scenario.beside == ((Path("/loads/writer.py"), "Writer"),)


def test_a_class_for_a_probe_that_there_is_not_is_misuse() -> None:
    with pytest.raises(MisuseError) as caught:
        found(row("exhaust", "Many"))

    assert "Many is for a probe 'exhaust', which is not one of browse, exhaustion, soak" in str(
        caught.value
    )


def test_without_a_class_there_is_nothing_to_hold() -> None:
    with pytest.raises(MisuseError, match="no class to hold a probe with"):
        found()


@pytest.mark.parametrize("name", PROBES)
def test_every_probe_has_packaged_traffic(name: str) -> None:
    assert packaged(name).file.is_file()
