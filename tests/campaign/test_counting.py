"""Counts of what knows no routes: an echo log, a server's counters, and what to think of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.campaign.counting.choosing import require_sense
from harness.campaign.counting.echo import EchoSource
from harness.campaign.counting.server import ServerSource
from harness.campaign.scenario import Settings
from harness.errors import MisuseError, NoEchoError

ENGINE = "INFO sqlalchemy.engine.Engine"
TRANSACTION = "\n".join(
    [
        f"2026-11-21 12:00:00,000 {ENGINE} BEGIN (implicit)",
        f"2026-11-21 12:00:00,001 {ENGINE} SELECT users.id FROM users",
        f"2026-11-21 12:00:00,001 {ENGINE} [generated in 0.0001s] ()",
        f"2026-11-21 12:00:00,002 {ENGINE} SELECT posts.id FROM posts WHERE posts.author_id = ?",
        f"2026-11-21 12:00:00,002 {ENGINE} [cached since 0.1s ago] (1,)",
        f"2026-11-21 12:00:00,002 {ENGINE} SELECT posts.id FROM posts WHERE posts.author_id = ?",
        f"2026-11-21 12:00:00,002 {ENGINE} [cached since 0.1s ago] (2,)",
        f"2026-11-21 12:00:00,003 {ENGINE} ROLLBACK",
        "",
    ]
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log in which something happened before anybody looked."""
    file = tmp_path / "app.log"
    file.write_text(TRANSACTION, encoding="utf-8")
    return file


def write(log: Path, text: str) -> None:
    with log.open("a", encoding="utf-8") as stream:
        stream.write(text)


def test_what_was_added_to_the_log_is_counted_by_statement(log: Path) -> None:
    source = EchoSource(log)
    write(log, TRANSACTION)

    ran = source.take()

    assert sorted(ran.values()) == [1, 2]
    assert "FROM posts" in max(ran, key=lambda text: ran[text])


def test_what_was_counted_is_not_counted_again(log: Path) -> None:
    source = EchoSource(log)
    write(log, TRANSACTION)
    source.take()

    assert source.take() == {}


def test_a_log_without_a_line_of_the_echo_says_nothing(log: Path) -> None:
    source = EchoSource(log)
    write(log, 'INFO: 127.0.0.1:5 - "GET /posts HTTP/1.1" 200 OK\n')
    source.take()

    doubt = source.doubt(40)

    assert "40 requests, and no line of SQLAlchemy's echo among 1 lines of app.log" in doubt


def test_a_route_without_sql_is_believed_where_others_show(log: Path) -> None:
    source = EchoSource(log)
    write(log, TRANSACTION)
    source.take()

    assert source.doubt(40) == ""


def test_a_log_that_becomes_shorter_cannot_be_counted(log: Path) -> None:
    source = EchoSource(log)
    log.write_text("rotated\n", encoding="utf-8")

    with pytest.raises(NoEchoError, match="became shorter"):
        source.take()


def test_a_log_that_is_gone_cannot_be_counted(log: Path) -> None:
    source = EchoSource(log)
    log.unlink()

    with pytest.raises(NoEchoError, match="is gone"):
        source.take()


def test_a_log_that_never_was_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="there is no echo log"):
        EchoSource(tmp_path / "nothing.log")


def test_a_server_that_counted_nothing_at_all_counts_somebody_else() -> None:
    taken: list[Mapping[str, int]] = [{}, {"SELECT ?": 2}]
    source = ServerSource(lambda: taken.pop(0))
    source.take()
    before = source.doubt(40)
    source.take()

    assert "the server counted no statement" in before
    assert source.doubt(40) == ""


HOST = "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (Settings(echo_log=Path("app.log")), "--echo-log is the log of"),
        (Settings(host=HOST, echo_log=Path("app.log")), "--echo-log is the log of"),
        (Settings(host=HOST, count_by="echo"), "needs its log"),
        (Settings(host=HOST, count_by="echo", echo_log=Path("gone.log")), "no echo log gone.log"),
        (Settings(count_by="server", users=4), "with 4 users"),
    ],
)
def test_what_contradicts_itself_is_refused(settings: Settings, what: str) -> None:
    with pytest.raises(MisuseError, match=what):
        require_sense(settings)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(users=4),
        Settings(count_by="echo"),
        Settings(count_by="server", users=1),
        Settings(host=HOST, count_by="echo", echo_log=Path(__file__)),
    ],
)
def test_what_makes_sense_is_not(settings: Settings) -> None:
    require_sense(settings)
