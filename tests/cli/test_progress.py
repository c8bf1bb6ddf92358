"""Progress for people who wait, at a terminal or in the log of a job."""

from __future__ import annotations

import io

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


def test_a_terminal_shows_the_detail_beside_the_step_and_takes_it_away() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)

    with Progress(console).shown() as progress:
        progress.step("Asking")
        progress.detail("GET /users")

    assert "Asking" in text(console)
    assert "GET /users" not in text(console).splitlines()[-1]
