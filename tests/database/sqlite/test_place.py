"""The folder of a run: its own while it lives, gone with it, swept when it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from harness.database.sqlite import SqlitePlace
from harness.errors import NoDatabaseError

_LIVES = """
import sys
from pathlib import Path
from harness.database.sqlite import SqlitePlace
place = SqlitePlace.begin(base=Path(sys.argv[1]))
print(place.folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_run(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run that lives in another process, and its folder."""
    with subprocess.Popen(
        [sys.executable, "-c", _LIVES, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_a_folder_is_there_until_it_is_closed(tmp_path: Path) -> None:
    place = SqlitePlace.begin(base=tmp_path)
    (place.folder / "harness.db").touch()

    place.close()
    place.close()

    assert list(tmp_path.iterdir()) == []


def test_nobody_else_may_look_into_it(tmp_path: Path) -> None:
    with closing(SqlitePlace.begin(base=tmp_path)) as place:
        assert place.folder.stat().st_mode & 0o077 == 0


def test_a_worker_has_a_file_of_its_own_name(tmp_path: Path) -> None:
    with closing(SqlitePlace.begin(base=tmp_path)) as place:
        names = [place.url(), place.url("gw1")]

        assert [Path(url.database or "").name for url in names] == ["harness.db", "harness_gw1.db"]
        assert {url.drivername for url in names} == {"sqlite+aiosqlite"}


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoDatabaseError, match="nowhere"):
        SqlitePlace.begin(base=tmp_path / "nowhere")


def test_the_folder_of_a_killed_run_is_swept(
    tmp_path: Path, other_run: tuple[subprocess.Popen[str], Path]
) -> None:
    process, folder = other_run
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert folder.is_dir()

    with closing(SqlitePlace.begin(base=tmp_path)):
        assert not folder.exists()


def test_the_folder_of_a_living_run_is_left_alone(
    tmp_path: Path, other_run: tuple[subprocess.Popen[str], Path]
) -> None:
    _, folder = other_run

    with closing(SqlitePlace.begin(base=tmp_path)) as place:
        assert folder.is_dir()
        assert folder != place.folder


def test_a_folder_that_is_just_being_made_is_left_alone(tmp_path: Path) -> None:
    made = tmp_path / "harness-sqlite-new"
    made.mkdir()

    SqlitePlace.begin(base=tmp_path).close()

    assert made.is_dir()


def test_a_folder_whose_making_was_killed_is_swept_later(tmp_path: Path) -> None:
    made = tmp_path / "harness-sqlite-old"
    made.mkdir()
    os.utime(made, (0, 0))

    SqlitePlace.begin(base=tmp_path).close()

    assert not made.exists()


def test_a_folder_that_others_may_change_is_not_touched(tmp_path: Path) -> None:
    somebodys = tmp_path / "harness-sqlite-open"
    somebodys.mkdir()
    somebodys.chmod(0o777)
    os.utime(somebodys, (0, 0))

    SqlitePlace.begin(base=tmp_path).close()

    assert somebodys.is_dir()
