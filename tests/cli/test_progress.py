"""Progress for people who wait, at a terminal or in the log of a job."""

from __future__ import annotations

import io
import threading
import time

from rich.console import Console

from harness.cli.progress import Progress


def log() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, width=80)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_step_is_a_line_with_the_time() -> None:
    console = log()

    with Progress(console).shown() as progress:
        progress.step("Starting PostgreSQL")

    assert text(console).endswith(" s  Starting PostgreSQL\n")


def test_a_log_has_no_details_while_steps_come() -> None:
    console = log()

    with Progress(console).shown() as progress:
        progress.step("Asking")
        progress.detail("GET /users")

    assert "GET /users" not in text(console)


def test_a_log_that_has_been_silent_for_long_gets_a_detail() -> None:
    console = log()

    with Progress(console, silence_seconds=0.0).shown() as progress:
        progress.detail("GET /users")

    assert "GET /users" in text(console)


def test_a_log_is_told_of_a_step_that_says_nothing_itself() -> None:
    console = log()

    with Progress(console, silence_seconds=0.02).shown() as progress:
        progress.step("Loading")
        until = time.monotonic() + 10
        while "Loading\n" not in text(console).partition("Loading\n")[2]:
            assert time.monotonic() < until
            time.sleep(0.01)

    assert text(console).endswith(" s    Loading\n")


def test_nothing_is_left_of_what_watches_over_the_silence() -> None:
    before = threading.active_count()

    with Progress(log()).shown():
        during = threading.active_count()

    assert (during - before, threading.active_count() - before) == (1, 0)


def test_a_terminal_shows_the_detail_beside_the_step_and_takes_it_away() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)

    with Progress(console).shown() as progress:
        progress.step("Asking")
        progress.detail("GET /users")

    assert "Asking" in text(console)
    assert "GET /users" not in text(console).splitlines()[-1]
