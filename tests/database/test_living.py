"""A folder lives as long as its owner, and no longer than until the next one comes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from harness.database.living import LivingFolder

_LIVES = """
import sys
from pathlib import Path
from harness.database.living import LivingFolder
folder = LivingFolder.begin("shop-", base=Path(sys.argv[1]))
(folder.path / "plan.json").touch()
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """One in another process, and its folder."""
    with subprocess.Popen(
        [sys.executable, "-c", _LIVES, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_it_is_gone_with_all_that_is_in_it_when_it_is_closed(tmp_path: Path) -> None:
    with closing(LivingFolder.begin("shop-", base=tmp_path)) as folder:
        (folder.path / "plan.json").touch()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("prefix", "is_there"), [("shop-", False), ("shops-", True)])
def test_the_next_of_the_same_name_sweeps_what_a_killed_owner_has_left(
    tmp_path: Path,
    owner: tuple[subprocess.Popen[str], Path],
    prefix: str,
    *,
    is_there: bool,
) -> None:
    process, left = owner
    process.kill()
    process.wait()

    with closing(LivingFolder.begin(prefix, base=tmp_path)):
        assert left.exists() is is_there


def test_that_of_a_living_owner_is_left_alone(
    tmp_path: Path, owner: tuple[subprocess.Popen[str], Path]
) -> None:
    _, folder = owner

    with closing(LivingFolder.begin("shop-", base=tmp_path)):
        assert (folder / "plan.json").exists()
