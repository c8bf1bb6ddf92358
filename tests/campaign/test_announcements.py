"""Announcements are told from what a file of traffic prints."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.campaign.announcements import Announcement, announcements


def announced(*lines: str) -> tuple[list[Announcement], list[str]]:
    """Of a process that says this; and what else it said."""
    program = f"print({chr(10).join(lines)!r})"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        aside: list[str] = []
        return list(announcements(process, aside=aside.append)), aside


@pytest.mark.parametrize(
    "printed",
    [
        "users are ready",
        "",
        "17",
        '["event"]',
        '{"level": "info"}',
        '{"event": "login", "user": 7}',
        '{"event": cut short',
    ],
)
def test_what_is_printed_between_announcements_is_none(printed: str) -> None:
    told, aside = announced(printed, '{"event": "counting"}', printed, '{"event": "ended"}')

    assert told == [Announcement("counting"), Announcement("ended")]
    assert aside == [f"{printed}\n"] * 2


def test_one_behind_what_was_printed_without_an_end_of_line_is_heard() -> None:
    told, _ = announced('loading ... {"event": "counting"}')

    assert told == [Announcement("counting")]


def test_that_of_a_step_has_what_was_answered() -> None:
    line = '{"event": "answered", "route": "GET /pages", "answer": "ok", "items": null}'

    told, _ = announced(line)

    assert told == [Announcement("answered", "GET /pages", "ok", None)]
