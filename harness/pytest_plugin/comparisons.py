"""Requests that a test makes on purpose, to compare what they run: with more rows, or another way.

A module of its own beside `queries` because both kinds of test use it, those that await and those
that do not: the steps are written once, as generators, and driven either way.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pytest

from harness.capture import Recorder
from harness.checks.growth import (
    GrowthSample,
    Trend,
    growth,
    growth_in_words,
    is_comparable,
    query_growth,
    with_growth,
)
from harness.checks.statements import statement_findings
from harness.findings import Severity
from harness.report.plain import findings_as_text
from harness.scan.items import items_in

__all__ = ["Answer", "constant", "driven", "same_answer"]

Steps = Generator[Any, Any, None]
Recordings = Callable[[], AbstractContextManager[Recorder]]

_FIRST_ERROR = 400


class Answer(Protocol):
    """The part of a client's response that is looked at: httpx's and Starlette's have it."""

    status_code: int
    content: bytes
    headers: Any


def driven(steps: Steps) -> Awaitable[None] | None:
    """Run the steps; what they yield is awaited where it has to be.

    Returns:
        What is to be awaited, as soon as a step has to be; None if none had to.
    """
    value: Any = None
    while True:
        try:
            value = steps.send(value)
        except StopIteration:
            return None
        if inspect.isawaitable(value):
            return _awaited(steps, value)


async def _awaited(steps: Steps, value: Any) -> None:  # noqa: ANN401 - whatever a step yields
    while True:
        try:
            answer = await value if inspect.isawaitable(value) else value
        except BaseException as error:
            steps.throw(error)  # so that what the steps have entered is left
            raise
        try:
            value = steps.send(answer)
        except StopIteration:
            return


def constant(
    recorded: Recordings,
    call: Callable[[], Any],
    *,
    populate: Callable[[int], Any],
    at: Sequence[int],
) -> Steps:
    """Make the same request with more and more rows, and fail where its statements become more.

    Args:
        recorded: Records what the request runs.
        call: Makes the request.
        populate: Makes so many rows more.
        at: Numbers of rows, two or more, above zero.
    """
    __tracebackhide__ = True
    sizes = _sizes(at)
    samples: list[GrowthSample] = []
    made = 0
    for size in sizes:
        yield populate(size - made)
        made = size
        if not samples:
            yield call()  # the first request fills caches that have nothing to do with rows
        with recorded() as recorder:
            answer = yield call()
        _require_success(answer)
        items = items_in(answer.content, answer.headers.get("content-type", ""))
        samples.append(GrowthSample(size, recorder.snapshot(), items))
    _judge(samples, sizes)


def same_answer(recorded: Recordings, before: Callable[[], Any], after: Callable[[], Any]) -> Steps:
    """Make two requests, and fail where the answers differ or the second takes more statements."""
    __tracebackhide__ = True
    with recorded() as of_before:
        first = yield before()
    with recorded() as of_after:
        second = yield after()
    for answer in (first, second):
        _require_success(answer)
    if _content(first) != _content(second):
        pytest.fail(
            "the two requests do not give the same answer:\n"
            f"  first   {_shown(first)}\n  second  {_shown(second)}",
            pytrace=False,
        )
    counts = [recorder.snapshot().statement_count for recorder in (of_before, of_after)]
    if counts[1] > counts[0]:
        pytest.fail(
            f"the answers are equal, but the second request took {counts[1]} statements, the "
            f"first {counts[0]}",
            pytrace=False,
        )


def _sizes(at: Sequence[int]) -> list[int]:
    sizes = sorted(set(at))
    if len(sizes) <= 1 or sizes[0] < 1:
        raise pytest.UsageError(
            f"assert_constant compares two or more numbers of rows above 0, got at={tuple(at)}: "
            "without rows, what loads their relationships does not run"
        )
    return sizes


def _require_success(answer: Answer) -> None:
    __tracebackhide__ = True
    if answer.status_code >= _FIRST_ERROR:
        pytest.fail(f"a request that was to be compared {_shown(answer)}", pytrace=False)


def _judge(samples: Sequence[GrowthSample], sizes: Sequence[int]) -> None:
    __tracebackhide__ = True
    if not is_comparable(samples):
        items = ", ".join(str(sample.items) for sample in samples)
        pytest.fail(
            f"with {', '.join(map(str, sizes))} rows the answer held {items} items: statements "
            "can only be compared where it grows. Does `populate` make rows that the request "
            "returns, and does its page hold them?",
            pytrace=False,
        )
    growing = [item for item in growth(samples) if item.trend is Trend.GROWING]
    if not growing:
        return
    largest = samples[-1].recording
    found = [item for item in statement_findings(largest) if item.severity is not Severity.NOTE]
    findings = [*with_growth(found, samples), *query_growth(samples, found=found)]
    lines = [f"  {growth_in_words(item, sizes)}\n    {item.fingerprint.text}" for item in growing]
    text = "\n".join(["the statements of the request become more with the rows:", *lines])
    pytest.fail(f"{text}\n\n{findings_as_text(findings)}".rstrip(), pytrace=False)


def _content(answer: Answer) -> object:
    """JSON is compared as such: the order of keys is no difference."""
    read = getattr(answer, "json", None)
    if callable(read) and "json" in answer.headers.get("content-type", ""):
        return read()
    return answer.content


def _shown(answer: Answer) -> str:
    return f"answered {answer.status_code}: {answer.content[:200].decode(errors='replace')}"
