"""The hooks: count inside the test's body, and fail what is over its budget.

A functional failure always wins: the budget is judged only where the body passed, and findings of a
failed test are a section of its report.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from harness.checks.budget import over_budget
from harness.errors import HarnessError
from harness.findings import judge
from harness.pytest_plugin import allowances
from harness.pytest_plugin.advice import AdviceSection
from harness.pytest_plugin.blindness import BlindnessSection
from harness.pytest_plugin.detection import (
    FOR_REQUESTS_ALONE,
    JUDGEMENT,
    DetectionSection,
)
from harness.pytest_plugin.queries import Queries
from harness.report.plain import findings_as_text

MARKER = "max_queries"
FIXTURE = "harness_queries"
_OBSERVED = "harness_running_app"
"""A test that has this in its fixtures makes requests that are worth watching."""

_HELP = (
    "max_queries(total=None, *, per_request=None): fail the test if its body, or any one "
    "request, runs more SQL statements"
)


@pytest.hookimpl
def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, listen for advice, and for trouble of our own."""
    config.addinivalue_line("markers", _HELP)
    config.addinivalue_line("markers", allowances.HELP)
    advice = AdviceSection(config)
    config.pluginmanager.register(advice, "harness_advice")
    listening = ExitStack()
    listening.enter_context(advice)
    config.pluginmanager.register(BlindnessSection(), "harness_blindness")
    config.pluginmanager.register(DetectionSection(), "harness_detection")
    config.add_cleanup(listening.close)


@pytest.hookimpl
def pytest_itemcollected(item: pytest.Item) -> None:
    """A test that calls the application is counted, and one that has a marker of ours."""
    if not isinstance(item, pytest.Function):
        return
    budget = item.get_closest_marker(MARKER)
    if budget is not None:
        _budget(budget, item)
    is_watched = budget is not None or _OBSERVED in item.fixturenames
    if (allowances.allowances_of(item) or is_watched) and FIXTURE not in item.fixturenames:
        item.fixturenames.append(FIXTURE)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Count what the body runs."""
    queries = getattr(item, "funcargs", {}).get(FIXTURE)
    if not isinstance(queries, Queries):
        return (yield)
    with queries.counting():
        try:
            result = yield
        finally:
            _judge(item, queries)
    _enforce(item, queries)
    return result


def _judge(item: pytest.Item, queries: Queries) -> None:
    findings = queries.findings
    if item.stash.get(FOR_REQUESTS_ALONE, False):
        requested = {request.name for request in queries.recording.requests}
        findings = [finding for finding in findings if finding.anchor in requested]
    configured = queries.configuration.allow
    own = allowances.allowances_of(item)
    item.stash[JUDGEMENT] = judge(findings, (*configured, *own))
    if findings:
        item.add_report_section("call", "queries", findings_as_text(findings))


def _enforce(item: pytest.Item, queries: Queries) -> None:
    marker = item.get_closest_marker(MARKER)
    fail_on, judgement = queries.configuration.fail_on, item.stash[JUDGEMENT]
    if marker is not None or fail_on:
        with _explained():
            queries.recording.complete()
    findings = [finding for finding in judgement.open if finding.kind in fail_on]
    if marker is not None:
        total, per_request = _budget(marker, item)
        over = over_budget(
            queries.recording, test=item.nodeid, total=total, per_request=per_request
        )
        findings = [*over, *findings]
    if findings:
        pytest.fail(findings_as_text(findings), pytrace=False)
    own = set(allowances.allowances_of(item))
    allowances.warn_of_unused(own.intersection(judgement.unmatched), item=item)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except HarnessError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _budget(marker: pytest.Mark, item: pytest.Item) -> tuple[int | None, int | None]:
    total = marker.args[0] if marker.args else marker.kwargs.get("total")
    per_request = marker.kwargs.get("per_request")
    unknown = set(marker.kwargs) - {"total", "per_request"}
    numbers = [number for number in (total, per_request) if number is not None]
    if unknown or len(marker.args) > 1 or not numbers or not all(_is_count(n) for n in numbers):
        given = [*map(repr, marker.args), *(f"{key}={it!r}" for key, it in marker.kwargs.items())]
        raise pytest.UsageError(
            f"{item.nodeid} has {MARKER}({', '.join(given)}); "
            f"the marker is {_HELP.partition(':')[0]}, with numbers from 0"
        )
    return total, per_request


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0
