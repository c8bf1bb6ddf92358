"""What a test asked for that cannot be real inside one transaction, said once.

Logged rather than raised or collected here: it must never change a test's outcome, and whoever
listens finds the user's line on the stack of the call. Every record has a `Topic` as its argument.
"""

from __future__ import annotations

import logging
import re
from enum import StrEnum

__all__ = ["LOGGER", "Topic", "advise", "topic_of"]

LOGGER = "harness.advice"


class Topic(StrEnum):
    """What cannot be real in rollback isolation, though the statement runs."""

    ADVISORY_LOCK = "advisory-lock"
    NOTIFICATION = "notification"
    ISOLATION_LEVEL = "isolation-level"
    ROW_LOCK = "row-lock"
    LASTING_SESSION = "lasting-session"
    UNCOMMITTED_ROWS = "uncommitted-rows"

    @property
    def explanation(self) -> str:
        """What is different from the real thing, in one sentence."""
        return _EXPLANATIONS[self]

    @property
    def is_real_in_clone(self) -> bool:
        """Whether a database for each test changes it: not what is wider than a test itself."""
        return self not in {Topic.LASTING_SESSION, Topic.UNCOMMITTED_ROWS}


_EXPLANATIONS = {
    Topic.ADVISORY_LOCK: "an advisory lock was asked for: all transactions of a test have one "
    "session, which never waits for itself and keeps its locks until the test ends",
    Topic.NOTIFICATION: "LISTEN or NOTIFY was used: notifications are delivered at a real COMMIT, "
    "and a test has none",
    Topic.ISOLATION_LEVEL: "SERIALIZABLE or REPEATABLE READ was asked for: all transactions of a "
    "test are parts of one in READ COMMITTED, and none fails to serialise",
    Topic.ROW_LOCK: "rows were locked while another transaction was open: all transactions of a "
    "test have one session, which never waits for itself, skips or refuses a locked row",
    Topic.LASTING_SESSION: "a session that is wider than a test was in a transaction when a test "
    "ended, and began anew in the next: what it still has in memory may be of rows that are gone "
    "(commit, roll back or expire_all() at the end of a test, or open a session for each)",
    Topic.UNCOMMITTED_ROWS: "a session of a fixture wider than a test was used with rows that the "
    "fixture had not committed: it stays outside of the tests, which do not see these rows and do "
    "not undo what it does (commit them, and they are the base line of all tests)",
}
_TOPICS = (
    (
        Topic.ADVISORY_LOCK,
        re.compile(r"pg_(?:try_)?advisory_(?:xact_)?lock(?:_shared)?\s*\("),
    ),
    (
        Topic.NOTIFICATION,
        re.compile(r"^\s*(?:listen|notify|unlisten)\b|pg_notify\s*\("),
    ),
    (
        Topic.ISOLATION_LEVEL,
        re.compile(r"isolation\s+level\s+(?:serializable|repeatable\s+read)\b"),
    ),
)


def topic_of(code: str) -> Topic | None:
    """What a statement does that cannot be real, whatever else the test does.

    Args:
        code: Its text in lower case, without what stands in quotes, and without comments.
    """
    return next((topic for topic, pattern in _TOPICS if pattern.search(code)), None)


def advise(topic: Topic) -> None:
    """Tell whoever listens, from inside the call that made it necessary."""
    logging.getLogger(LOGGER).info("%s", topic)
