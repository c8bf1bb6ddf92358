"""Progress for people who wait, at a terminal or in the log of a job."""

from __future__ import annotations

import io
import threading
import time

import pytest
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


def test_a_long_step_is_wrapped_under_its_own_words() -> None:
    console = log()

    with Progress(console).shown() as progress:
        progress.step("again: " + "the machine was busy with something else; " * 4)

    lines = text(console).splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= 80
    assert all(line.startswith(" " * lines[0].index("again")) for line in lines[1:])


def test_a_word_that_is_longer_than_the_line_is_left_whole() -> None:
    console = log()

    with Progress(console).shown() as progress:
        progress.step(f"reading {'/long' * 30}")

    assert "/long" * 30 in text(console)


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
        while "still" not in text(console):
            assert time.monotonic() < until
            time.sleep(0.01)

    assert text(console).endswith(" s    still: Loading\n")


def test_nothing_is_left_of_what_watches_over_the_silence() -> None:
    before = set(threading.enumerate())

    with Progress(log()).shown():
        during = set(threading.enumerate()) - before

    assert (len(during), set(threading.enumerate()) - before) == (1, set())


def test_a_terminal_shows_the_detail_beside_the_step_and_takes_it_away() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)

    with Progress(console).shown() as progress:
        progress.step("Asking")
        progress.detail("GET /users")

    assert "Asking" in text(console)
    assert "GET /users" not in text(console).splitlines()[-1]


_BRACKETED = "asking GET [/health] of [bold]shop[/bold] :smile:"


@pytest.mark.parametrize("is_terminal", [False, True], ids=["log", "terminal"])
def test_square_brackets_of_the_application_are_shown_as_they_are(*, is_terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=80)

    with Progress(console, silence_seconds=0.0).shown() as progress:
        progress.step(f"step {_BRACKETED}")
        progress.detail(f"detail {_BRACKETED}")

    assert f"step {_BRACKETED}" in text(console)
    assert is_terminal or f"detail {_BRACKETED}" in text(console)


def test_after_an_error_nothing_is_told_to_a_spinner_that_is_gone() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    progress = Progress(console, silence_seconds=0.0)
    with pytest.raises(ZeroDivisionError), progress.shown():
        raise ZeroDivisionError

    progress.detail("GET /users")

    assert "GET /users" in text(console)
