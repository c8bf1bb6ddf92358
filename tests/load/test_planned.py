"""Packaged traffic that is run without a plan requests what the application's document tells."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from harness.load.routes import Plan
from tests.load.conftest import CountingServer, Generator

_SCENARIOS = Path(str(files("harness.load.scenarios")))
_RESPONSES: dict[str, Any] = {
    kind: {"200": {"content": {kind: {}}}} for kind in ("application/json", "text/csv")
}
_DOCUMENT = {
    "paths": {
        "/rows": {"get": {"responses": _RESPONSES["application/json"]}},
        "/table": {"get": {"responses": _RESPONSES["text/csv"]}},
    }
}


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("disconnect", {"/rows", "/table"}),
        ("streaming", {"/table"}),
        ("soak", {"/rows", "/table"}),
    ],
)
def test_it_requests_what_suits_the_probe(
    server: CountingServer, generator: Generator, name: str, paths: set[str]
) -> None:
    server.openapi = json.dumps(_DOCUMENT)
    packaged = replace(generator, scenario=_SCENARIOS / f"{name}.py")

    code, said = packaged.run("-t", "1s", "--stop-timeout", "5")

    assert code == 0, said
    assert set(server.answered) == paths


def test_it_says_why_there_is_nothing_to_request(
    server: CountingServer, generator: Generator
) -> None:
    rows = {"paths": {"/rows": _DOCUMENT["paths"]["/rows"]}}
    server.openapi = json.dumps(rows)
    packaged = replace(generator, scenario=_SCENARIOS / "streaming.py")

    _, said = packaged.run("-t", "1s")

    assert "has none that fits; give --plan" in said
    assert server.answered == []


def test_a_plan_that_is_not_there_ends_even_traffic_that_follows_none(
    generator: Generator, server: CountingServer
) -> None:
    code, said = generator.run("-t", "1s", "--plan", "nofile.json")

    assert "harness: nofile.json is no JSON list of [route, path]" in said
    assert server.answered == []
    assert code == 2


def test_locust_without_a_configured_application_says_what_to_configure(
    generator: Generator,
) -> None:
    bare = replace(generator, environment={**generator.environment, "HARNESS_APP": ""})

    with bare.started("--headless", "--only-summary", "-u", "1", "-t", "1s") as process:
        said, _ = process.communicate(timeout=60)

    assert "the application could not be served: no application is configured" in said
    assert process.returncode == 2


def test_a_plan_is_followed(server: CountingServer, generator: Generator, tmp_path: Path) -> None:
    plan: Plan = (("GET /pages/{number}", "/pages/3"),)
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan), encoding="utf-8")
    packaged = replace(generator, scenario=_SCENARIOS / "soak.py")

    packaged.run("-t", "1s", "--stop-timeout", "5", "--plan", str(file))

    assert set(server.answered) == {"/pages/3"}
    assert set(generator.result.tally.routes) == {"GET /pages/{number}"}
