"""This repository's traffic, as Locust finds it: one file, one story, one probe."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.campaign.probes import PROBES


@pytest.fixture
def folder(pytestconfig: pytest.Config) -> Path:
    """Of the traffic."""
    return pytestconfig.rootpath / "loadtests"


def classes(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and probe of each."""
    for file in folder.glob("*.py"):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                yield node.name, probe_of(node)


def probe_of(node: ast.ClassDef) -> str:
    told = [
        statement.value.value
        for statement in node.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        if isinstance(target := statement.targets[0], ast.Name) and target.id == "probe"
    ]
    return str(told[0]) if told else "browse"


def test_every_probe_has_a_class_of_its_own(folder: Path) -> None:
    assert sorted(probe for _, probe in classes(folder)) == sorted(PROBES)


def test_locust_finds_all_of_them(folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(folder), "--list"],
        cwd=folder.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    listed = ended.stdout.partition("Available Users:")[2].split()
    assert sorted(listed) == sorted(name for name, _ in classes(folder))
