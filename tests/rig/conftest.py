"""A small project that a rig can start, and a rig that many tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.rig.client import Rig, rig_process
from tests.rig.projects import write_project


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project with a table of notes."""
    return write_project(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def shared_rig(project: Path) -> Iterator[Rig]:
    """A rig that has started the project; whoever takes it serves for itself."""
    with rig_process(environment=own_server()) as rig:
        rig.start(project)
        yield rig


@pytest.fixture
def rig(shared_rig: Rig) -> Iterator[Rig]:
    """The rig that many tests share, which serves nothing yet."""
    yield shared_rig
    shared_rig.stop()


def own_server() -> dict[str, str]:
    """Without the choice of the tests' own server: what may be restarted is the rig's."""
    return {"HARNESS_POSTGRES": "embedded"} if "HARNESS_POSTGRES" in os.environ else {}
