"""The server ends with its last owner, however the owners end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.database.account import server_account
from harness.database.admin import server_version
from harness.database.embedded import EmbeddedServer
from harness.database.lease import Lease
from harness.database.orphans import remove_orphan
from harness.database.ownership import hire_reaper
from harness.database.session import SessionFolder, make_session_folder
from harness.errors import ServerStartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GONE_SECONDS = 30.0  # a reaper waits 3 s for a server that does not react

STARTER = """
import sys
from harness.database.embedded import EmbeddedServer
server = EmbeddedServer.start()
print(server.lease.to_json(), flush=True)
sys.stdin.read()
"""
JOINER = """
import sys
from harness.database.embedded import EmbeddedServer
from harness.database.lease import Lease
server = EmbeddedServer.join(Lease.from_json(sys.stdin.readline()))
print("joined", flush=True)
sys.stdin.read()
"""
STARTER_WITH_CHILD = """
import subprocess, sys
from harness.database.embedded import EmbeddedServer
server = EmbeddedServer.start()
child = subprocess.Popen(
    [sys.executable, "-c", "import sys; sys.stdin.read()"], close_fds=False, stdout=sys.stderr
)
print(server.lease.to_json(), flush=True)
child.wait()
"""


@dataclass(frozen=True, slots=True)
class Observed:
    """A running session as the operating system sees it."""

    session: SessionFolder
    postmaster: int
    reaper: int

    @classmethod
    def of(cls, lease: Lease) -> Observed:
        session = SessionFolder(Path(lease.folder))
        postmaster = int((session.data / "postmaster.pid").read_text().split()[0])
        return cls(session, postmaster, parent_of(postmaster))

    def is_gone(self) -> bool:
        is_running = is_alive(self.postmaster) or is_alive(self.reaper)
        return not is_running and not self.session.path.exists()


def state_and_parent(pid: int) -> tuple[str, int] | None:
    """How a process is (``Z``: ended, waits for its parent) and whose child, or None."""
    if Path("/proc/self/stat").exists():
        try:
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, parent = after_name.split()[:2]
        return state, int(parent)
    listed = subprocess.run(
        ["/bin/ps", "-o", "stat=,ppid=", "-p", str(pid)],
        check=False,
        capture_output=True,
        text=True,
    ).stdout.split()
    return (listed[0][0], int(listed[1])) if listed else None


def parent_of(pid: int) -> int:
    known = state_and_parent(pid)
    assert known is not None
    return known[1]


def is_alive(pid: int) -> bool:
    known = state_and_parent(pid)
    return known is not None and known[0] != "Z"


def comes_true(claim: Callable[[], bool], *, within_seconds: float = GONE_SECONDS) -> bool:
    deadline = time.monotonic() + within_seconds
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def running(script: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def test_killing_the_only_owner_leaves_no_process_and_no_folder() -> None:
    with running(STARTER) as owner:
        observed = Observed.of(Lease.from_json(line_of(owner)))
        assert not observed.is_gone()

        owner.kill()

        assert comes_true(observed.is_gone)


def test_a_private_copy_of_the_programs_goes_with_the_session(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    (copy / "bin").mkdir(parents=True)
    session = make_session_folder(server_account())
    hold, line = hire_reaper(session, also_remove=[copy])
    line.hang_up()

    hold.release()

    assert not session.path.exists()
    assert comes_true(lambda: not copy.exists())


def farewell_that_touches(path: Path) -> str:
    """What a session runs at its end, with a variable that nobody else has."""
    program = "import os, pathlib; pathlib.Path(os.environ['LAST_WORD']).touch()"
    environment = {"LAST_WORD": str(path)}
    return json.dumps({"command": [sys.executable, "-c", program], "environment": environment})


def test_a_session_runs_its_farewell_before_its_folder_goes(tmp_path: Path) -> None:
    session = make_session_folder(server_account())
    hold, line = hire_reaper(session, also_remove=[])
    line.hang_up()
    session.farewell.write_text(farewell_that_touches(tmp_path / "said"))

    hold.release()

    assert not session.path.exists()
    assert (tmp_path / "said").exists()


def test_a_farewell_that_cannot_be_run_does_not_keep_the_folder() -> None:
    session = make_session_folder(server_account())
    session.farewell.write_text(json.dumps({"command": ["/nowhere"], "environment": {}}))

    remove_orphan(session)

    assert not session.path.exists()


def test_an_orphan_is_removed_with_its_farewell(tmp_path: Path) -> None:
    session = make_session_folder(server_account())
    session.farewell.write_text(farewell_that_touches(tmp_path / "said"))

    remove_orphan(session)

    assert not session.path.exists()
    assert (tmp_path / "said").exists()


def test_an_owner_that_just_ends_needs_no_close() -> None:
    with running(STARTER) as owner:
        observed = Observed.of(Lease.from_json(line_of(owner)))

        owner.communicate()

        assert owner.returncode == 0
        assert comes_true(observed.is_gone)


def test_a_second_owner_keeps_the_server_when_the_first_is_killed() -> None:
    with running(STARTER) as creator, running(JOINER) as worker:
        lease = Lease.from_json(line_of(creator))
        observed = Observed.of(lease)
        tell(worker, lease.to_json())
        assert line_of(worker) == "joined\n"

        creator.kill()
        creator.wait()
        assert server_version(lease.address)
        worker.kill()

        assert comes_true(observed.is_gone)


def test_closing_with_other_owners_left_neither_waits_nor_stops() -> None:
    with closing(EmbeddedServer.start()) as creator:
        with closing(EmbeddedServer.join(creator.lease)):
            creator.close()

            assert server_version(creator.address)
        assert not Path(creator.lease.folder).exists()


def test_an_ended_server_cannot_be_joined() -> None:
    server = EmbeddedServer.start()
    server.close()

    with pytest.raises(ServerStartError, match="has ended"):
        EmbeddedServer.join(server.lease)


def test_a_program_that_an_owner_started_does_not_keep_the_server() -> None:
    with running(STARTER_WITH_CHILD) as owner:
        observed = Observed.of(Lease.from_json(line_of(owner)))

        owner.kill()

        assert comes_true(observed.is_gone)


def test_signals_of_a_terminal_reach_neither_reaper_nor_server() -> None:
    with closing(EmbeddedServer.start()) as server:
        observed = Observed.of(server.lease)

        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(observed.reaper, each)

        assert server_version(server.address)
        assert is_alive(observed.reaper)
        assert os.getsid(observed.reaper) != os.getsid(0)
        assert os.getsid(observed.postmaster) != os.getsid(0)


def test_a_server_that_does_not_react_is_killed() -> None:
    with running(STARTER) as owner:
        observed = Observed.of(Lease.from_json(line_of(owner)))
        os.kill(observed.postmaster, signal.SIGSTOP)

        owner.kill()

        assert comes_true(observed.is_gone)


def test_a_killed_server_leaves_no_folder() -> None:
    server = EmbeddedServer.start()
    observed = Observed.of(server.lease)
    os.kill(observed.postmaster, signal.SIGKILL)

    server.close()

    assert comes_true(observed.is_gone)


def test_the_last_owner_clears_up_after_a_killed_reaper() -> None:
    server = EmbeddedServer.start()
    observed = Observed.of(server.lease)
    os.kill(observed.reaper, signal.SIGKILL)
    assert comes_true(lambda: not is_alive(observed.reaper))
    assert server_version(server.address)

    server.close()

    assert comes_true(observed.is_gone)


def test_the_next_start_clears_up_when_owner_and_reaper_were_killed() -> None:
    with running(STARTER) as owner:
        observed = Observed.of(Lease.from_json(line_of(owner)))
        os.kill(observed.reaper, signal.SIGKILL)
        owner.kill()
    assert comes_true(lambda: not is_alive(observed.reaper))
    assert is_alive(observed.postmaster)

    EmbeddedServer.start().close()

    assert comes_true(observed.is_gone)


def test_a_start_leaves_the_sessions_of_others_alone() -> None:
    with closing(EmbeddedServer.start()) as server:
        EmbeddedServer.start().close()

        assert server_version(server.address)
