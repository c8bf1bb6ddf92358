"""Runs one PostgreSQL for as long as somebody owns it, then stops it and removes its folder.

A script of its own, started with ``python -I -S``: it must outlive a ``kill -9`` of every owner and
start in a blink, so it imports nothing but a little of the standard library. A parent-death signal
would not do: it exists on Linux only and fires when the thread that started the server ends.

    standard input   the session's FIFO. One line of JSON starts a server, or has it stopped and
                     started again; end of file means that no owner is left.
    standard output  a pipe to the creator: a line when the server has ended or cannot be started.
    standard error   the session's log, which the server inherits.
    arguments        the session's folder, then further folders to remove with it.
    farewell.json    in the session's folder, if it is there: a command to run at the end. This is
                     how a container goes, which is no child of ours.

The reaper is the server's parent: it knows without doubt which process to stop. If the reaper is
killed itself, the server runs on until the last owner closes it, or until the next start of an
embedded server on this machine sweeps it up (`harness.database.orphans`).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType
    from typing import Literal, TypedDict, final

    class Farewell(TypedDict):
        """The content of the farewell."""

        command: list[str]
        environment: dict[str, str]

    @final
    class ServerRequest(TypedDict):
        """A line of the input that starts a server."""

        command: list[str]
        environment: dict[str, str]
        uid: int | None
        gid: int | None

    @final
    class Halt(TypedDict):
        """A line of the input that stops the server for a while."""

        halt: Literal["fast", "immediate"]

    @final
    class Resume(TypedDict):
        """A line of the input that starts the same server again."""

        resume: Literal[True]


HALT_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
HALT_SECONDS = 20.0
FAST_WAIT_SECONDS = 2.0
IMMEDIATE_WAIT_SECONDS = 1.0
REMOVAL_SECONDS = 3.0
FAREWELL = "farewell.json"
FAREWELL_SECONDS = 30.0


class Reaper:
    """Starts servers on request, one after the other, until its input ends."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._request: ServerRequest | None = None

    def obey(self) -> None:
        """Follow the lines of the input up to its end."""
        signal.signal(signal.SIGCHLD, self._report_end)
        pending = b""
        while received := os.read(0, 65536):
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                self._follow(json.loads(line))

    def stop(self) -> None:
        """End the server: politely, then firmly, then for good."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if self._server is None:
            return
        for request, patience_seconds in (
            (signal.SIGINT, FAST_WAIT_SECONDS),
            (signal.SIGQUIT, IMMEDIATE_WAIT_SECONDS),
            (signal.SIGKILL, IMMEDIATE_WAIT_SECONDS),
        ):
            self._server.send_signal(request)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(patience_seconds)
                return

    def _follow(self, line: ServerRequest | Halt | Resume) -> None:
        if "halt" in line:
            self._halt(HALT_SIGNALS[line["halt"]])
        elif "resume" not in line:
            self._start(line)
        elif self._request is not None and (
            self._server is None or self._server.poll() is not None
        ):
            self._start(self._request)

    def _halt(self, request: signal.Signals) -> None:
        """Stop the server as asked; it has ended when this returns."""
        if self._server is None:
            return
        self._server.send_signal(request)
        try:
            self._server.wait(HALT_SECONDS)
        except subprocess.TimeoutExpired:
            self.stop()
            signal.signal(signal.SIGCHLD, self._report_end)

    def _start(self, request: ServerRequest) -> None:
        self._request = request
        try:
            self._server = _start_server(request)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            _tell(f"cannot start: {error}")
            return
        self._report_end()

    def _report_end(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        if self._server is not None and self._server.poll() is not None:
            _tell(f"ended with exit code {self._server.returncode}")


def _start_server(request: ServerRequest) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - the owner's own command, from a FIFO that is theirs
        request["command"],
        stdin=subprocess.DEVNULL,
        stdout=2,
        stderr=2,
        env=request["environment"],
        user=request["uid"],
        group=request["gid"],
        extra_groups=None if request["uid"] is None else [],
        start_new_session=True,
    )


def say_farewell(folder: str) -> None:
    """Run the farewell of a session, if it has one."""
    try:
        path = os.path.join(folder, FAREWELL)  # noqa: PTH118 - nothing else here needs pathlib
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - see above
            farewell: Farewell = json.load(file)
    except FileNotFoundError:
        return
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(  # noqa: S603 - the owner's own command, from a folder that is theirs
            farewell["command"],
            env=farewell["environment"],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=FAREWELL_SECONDS,
        )


def _tell(message: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # the creator stops listening once it is ready
        os.write(1, message.encode() + b"\n")


def _remove(folders: Sequence[str]) -> None:
    """Remove folders even while the last processes of a killed server still write to them."""
    deadline = time.monotonic() + REMOVAL_SECONDS
    for folder in folders:
        while os.path.lexists(folder) and time.monotonic() < deadline:
            shutil.rmtree(folder, ignore_errors=True)
            if os.path.lexists(folder):
                time.sleep(0.05)


def main(folders: Sequence[str]) -> None:
    """Detach from the creator, serve, clear away."""
    if os.fork():
        # Nobody has to wait for a grandchild: no zombies in the owners, no ResourceWarning.
        os._exit(0)
    for unwanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(unwanted, signal.SIG_IGN)
    os.set_blocking(0, True)
    reaper = Reaper()
    try:
        reaper.obey()
    finally:
        reaper.stop()
        say_farewell(folders[0])
        _remove(folders)


if __name__ == "__main__":
    main(sys.argv[1:])
