"""What each kind of finding is, for a reader of an alert who has never heard of it.

Apart from `sarif` because it is text. An alert on a code host has one description for all results
of a rule; the sentences with the numbers are those of the findings.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["REGRESSION_RULE", "RULES", "rule_texts"]

REGRESSION_RULE = "query-lock-regression"
"""The rule of an endpoint that runs more than the query lock allows."""

_ORDER_HELP = (
    "Commit before the response is sent: in the endpoint itself, or in a dependency that is "
    'declared with scope="function".'
)
_LOAD_HELP = (
    "Load it with the query that brings the object: .options(selectinload(…)) for lists, "
    ".options(joinedload(…)) for one object. Nothing can wait for the database later."
)

RULES: Mapping[str, tuple[str, str]] = {
    REGRESSION_RULE: (
        "An endpoint runs more statements than the query lock allows",
        "Undo what added them, or accept them with pytest --query-lock=update and commit the lock.",
    ),
    "n-plus-one": (
        "A statement runs once for each row of an earlier result",
        (
            "Load everything with the query that loads the parents (selectinload, joinedload), or "
            "ask once for all values: WHERE … IN (…)."
        ),
    ),
    "repeated-sequence": (
        "A group of statements repeats once for each row",
        "Ask each of them once for all rows, in front of the loop.",
    ),
    "fan-out": (
        "The same statement runs in several tasks of one request",
        "Ask once for all values: each task holds a connection of the pool.",
    ),
    "column-reload": (
        "Columns are fetched again, one object after the other",
        (
            "Load them with the first query, and do not expire what is still read: "
            "expire_on_commit=False, undefer(…)."
        ),
    ),
    "redundant-read": (
        "The same question is asked again for the same values",
        "Ask once and pass the answer on, or keep it for the request.",
    ),
    "write-loop": (
        "Rows are written by one statement each",
        "Send all rows with one statement: session.execute(insert(…), rows).",
    ),
    "flush-in-loop": (
        "The session is flushed again and again from one line",
        "Add all objects, then flush or commit once behind the loop.",
    ),
    "unbounded-result": (
        "A query without a limit brings many rows into memory",
        "Bound it: .limit(…) with pages, or .execution_options(yield_per=…) to stream.",
    ),
    "query-growth": (
        "A statement of an endpoint runs more often the more rows there are",
        "Find the loop that runs it and ask once for all rows.",
    ),
    "query-budget": (
        "A test or a request runs more statements than it may",
        "Load less, or raise the number of max_queries.",
    ),
    "missing-greenlet": ("An attribute is read where nothing awaits the database", _LOAD_HELP),
    "detached-instance": ("An attribute is read after its session was closed", _LOAD_HELP),
    "forbidden-lazy-load": ("An attribute is read whose load is forbidden", _LOAD_HELP),
    "server-error": (
        "The application raised, or answered 500 or above",
        "Request it under a server to see the traceback.",
    ),
    "commit-after-response": ("A COMMIT comes after the response was sent", _ORDER_HELP),
    "background-before-commit": (
        "Work after the response uses rows that are not yet committed",
        _ORDER_HELP,
    ),
    "read-of-uncommitted-row": (
        "A second session reads rows that the first has not yet committed",
        "Use one session for both, or commit the first one before.",
    ),
}
"""One sentence and the remedy, by rule."""


def rule_texts(rule: str) -> tuple[str, str]:
    """What a rule says; a kind that is newer than this list describes itself by its name."""
    return RULES.get(rule, (rule.replace("-", " ").capitalize(), "See the result's own message."))
