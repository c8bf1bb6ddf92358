"""What users counted: by route and kind of answer a histogram of integers, and a timeline.

Counts of several processes add up without a loss, which a list of all requests would do too, at
the price of memory that grows with the load. Free of Locust.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from harness.capture.histogram import Histogram
from harness.capture.traffic import Outcome
from harness.load.timeline import Timeline

__all__ = ["Answer", "ItemCount", "Tally", "answer_of"]

_REDIRECT = 300
_CLIENT_ERROR = 400
_TOO_MANY = 429
_SERVER_ERROR = 500
_SHED = 503


class Answer(StrEnum):
    """What came of a request: finer than its `Outcome`, which tells the user's side of it."""

    OK = "ok"
    REDIRECT = "redirect"
    REFUSED = "refused"
    """4xx but 429."""
    RATE_LIMITED = "rate-limited"
    """429."""
    ERROR = "error"
    """5xx but 503, and an answer that the scenario itself did not accept."""
    SHED = "shed"
    """503."""
    HUNG = "hung"
    """None within the client's own time limit."""
    CUT = "cut"
    """None, and before the time limit: refused, reset, closed, not resolved, no TLS."""

    @property
    def outcome(self) -> Outcome:
        """How its client sees it."""
        return _OUTCOMES[self]


_OUTCOMES = {
    Answer.OK: Outcome.OK,
    Answer.REDIRECT: Outcome.OK,
    Answer.REFUSED: Outcome.REFUSED,
    Answer.RATE_LIMITED: Outcome.REFUSED,
    Answer.ERROR: Outcome.ERROR,
    Answer.SHED: Outcome.SHED,
    Answer.HUNG: Outcome.HANG,
    Answer.CUT: Outcome.ERROR,
}
_GOOD = frozenset({Answer.OK, Answer.REDIRECT})


def answer_of(status: int | None, failure: object = None) -> Answer:
    """Class of what came back.

    Args:
        status: HTTP status; None and 0 stand for no answer.
        failure: What was raised, if anything: by the network or by the scenario.
    """
    if not status:
        return Answer.HUNG if failure is None or _is_timeout(failure) else Answer.CUT
    if status >= _SERVER_ERROR:
        return Answer.SHED if status == _SHED else Answer.ERROR
    if status >= _CLIENT_ERROR:
        return Answer.RATE_LIMITED if status == _TOO_MANY else Answer.REFUSED
    if failure is not None:
        return Answer.ERROR
    return Answer.REDIRECT if status >= _REDIRECT else Answer.OK


def _is_timeout(failure: object) -> bool:
    """Whether the client's patience ended, which its libraries wrap in errors of their own."""
    while isinstance(failure, BaseException):
        if isinstance(failure, TimeoutError):
            return True
        # geventhttpclient's is an attribute.
        failure = getattr(failure, "original", None) or failure.__cause__ or failure.__context__
    return False


def _words(answer: Answer, status: int | None) -> str:
    """What came in place of a good answer, for people."""
    if answer is Answer.HUNG:
        return "no answer"
    if answer is Answer.CUT:
        return "no connection, or it was closed"
    if status is None:
        return str(answer)
    return str(status) if status >= _CLIENT_ERROR else f"{status}, not accepted"


@dataclass(slots=True)
class ItemCount:
    """Of good answers that hold items, such as a page's rows."""

    answers: int = 0
    items: int = 0

    def add(self, items: int, *, answers: int = 1) -> None:
        """Count an answer, or those of another process."""
        self.answers += answers
        self.items += items


@dataclass(slots=True, eq=False)
class Tally:
    """Counts of one run, or of a part of one."""

    routes: dict[str, dict[Answer, Histogram]] = field(default_factory=dict)
    timeline: Timeline = field(default_factory=Timeline)
    dropped: int = 0
    """Arrivals that were not sent in time."""
    items: dict[str, ItemCount] = field(default_factory=dict)
    """By route, where items are counted."""
    failed: dict[str, dict[str, int]] = field(default_factory=dict)
    """By route, and by what came in place of a good answer: ``"404"``, ``"no answer"``."""
    left: dict[str, int] = field(default_factory=dict)
    """By route, requests whose client left on purpose: neither answered nor failed, and in no other
    count."""

    def add(
        self,
        route: str,
        answer: Answer,
        *,
        seconds: float,
        ended_seconds: float,
        items: int | None = None,
        status: int | None = None,
    ) -> None:
        """Count a request.

        Args:
            route: ``GET /users/{user_id}``.
            answer: What came of it.
            seconds: How long it took.
            ended_seconds: When that was, after the start of the load.
            items: That the answer holds; None where nobody counts, or it holds no list.
            status: Of HTTP; None where nobody knows it.
        """
        by_answer = self.routes.setdefault(route, {})
        histogram = by_answer.get(answer)
        if histogram is None:
            histogram = by_answer[answer] = Histogram()
        histogram.add(seconds)
        self.timeline.add(ended_seconds, seconds, is_good=answer in _GOOD)
        if answer not in _GOOD:
            self._add_failure(route, _words(answer, status), 1)
        elif items is not None:
            self.items.setdefault(route, ItemCount()).add(items)

    def _add_failure(self, route: str, words: str, count: int) -> None:
        by_words = self.failed.setdefault(route, {})
        by_words[words] = by_words.get(words, 0) + count

    def merge(self, other: Tally, *, shift_seconds: int = 0) -> None:
        """Add what another process counted; its timeline may be made coarser by this."""
        for route, by_answer in other.routes.items():
            mine = self.routes.setdefault(route, {})
            for answer, histogram in by_answer.items():
                mine.setdefault(answer, Histogram()).merge(histogram)
        for route, counted in other.items.items():
            self.items.setdefault(route, ItemCount()).add(counted.items, answers=counted.answers)
        self.timeline.merge(other.timeline, shift_seconds=shift_seconds)
        self.dropped += other.dropped
        for route, by_words in other.failed.items():
            for words, count in by_words.items():
                self._add_failure(route, words, count)
        for route, count in other.left.items():
            self.left[route] = self.left.get(route, 0) + count

    @property
    def requests(self) -> int:
        """All that were sent and came to an end."""
        return self.count(*Answer)

    @property
    def failures(self) -> int:
        """Those without a good answer."""
        return self.count(*(answer for answer in Answer if answer not in _GOOD))

    def count(self, *answers: Answer) -> int:
        """How many requests ended so."""
        return sum(
            by_answer[answer].count
            for by_answer in self.routes.values()
            for answer in answers
            if answer in by_answer
        )

    def latency(self, route: str | None = None, *, of: Iterable[Answer] = Answer) -> Histogram:
        """How long requests took.

        Args:
            route: Of this route; default: of all of them.
            of: Only requests that ended so.
        """
        wanted = frozenset(of)
        merged = Histogram()
        for name, by_answer in self.routes.items():
            if route is None or name == route:
                for answer in wanted & by_answer.keys():
                    merged.merge(by_answer[answer])
        return merged

    def good_latency(self) -> Histogram:
        """Of good answers, on all routes."""
        return self.latency(of=_GOOD)

    def failures_of(self, route: str) -> int:
        """Requests to a route that had no good answer."""
        by_answer = self.routes.get(route, {})
        return sum(found.count for answer, found in by_answer.items() if answer not in _GOOD)

    def as_json(self) -> dict[str, Any]:
        """Mergeable form, for other processes and files."""
        routes = {
            route: {str(answer): found.as_json() for answer, found in by_answer.items()}
            for route, by_answer in self.routes.items()
        }
        return {
            "routes": routes,
            "timeline": self.timeline.as_json(),
            "dropped": self.dropped,
            "items": {route: [found.answers, found.items] for route, found in self.items.items()},
            "failed": self.failed,
            "left": self.left,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Tally:
        """The inverse of `as_json`."""
        routes = {
            route: {Answer(name): Histogram.from_json(found) for name, found in by_answer.items()}
            for route, by_answer in data["routes"].items()
        }
        items = {route: ItemCount(*counted) for route, counted in data["items"].items()}
        timeline = Timeline.from_json(data["timeline"])
        failed = {route: dict(by_words) for route, by_words in data["failed"].items()}
        return cls(routes, timeline, data["dropped"], items, failed, dict(data["left"]))
