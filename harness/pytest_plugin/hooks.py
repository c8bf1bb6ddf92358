"""The hooks: count inside the test's body, and fail what is over its budget.

A functional failure always wins: the budget is judged only where the body passed, and findings of a
failed test are a section of its report.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack

import pytest

from harness.checks.budget import over_budget
from harness.findings import Finding, judge
from harness.pytest_plugin.advice import AdviceSection
from harness.pytest_plugin.queries import Queries
from harness.report.plain import findings_as_text

MARKER = "max_queries"
FIXTURE = "harness_queries"

_HELP = (
    "max_queries(total=None, *, per_request=None): fail the test if its body, or any one "
    "request, runs more SQL statements"
)


@pytest.hookimpl
def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and listen for advice."""
    config.addinivalue_line("markers", _HELP)
    advice = AdviceSection(config)
    config.pluginmanager.register(advice, "harness_advice")
    listening = ExitStack()
    listening.enter_context(advice)
    config.add_cleanup(listening.close)


@pytest.hookimpl
def pytest_itemcollected(item: pytest.Item) -> None:
    """A test with a budget is counted, also where it does not ask for the fixture."""
    marker = item.get_closest_marker(MARKER)
    if marker is not None and isinstance(item, pytest.Function):
        _budget(marker, item)
        if FIXTURE not in item.fixturenames:
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
            findings = queries.findings
            if findings:
                item.add_report_section("call", "queries", findings_as_text(findings))
    _enforce(item, queries)
    return result


def _enforce(item: pytest.Item, queries: Queries) -> None:
    marker = item.get_closest_marker(MARKER)
    project = getattr(item, "funcargs", {}).get("harness_project")
    findings: list[Finding] = []
    if marker is not None:
        total, per_request = _budget(marker, item)
        findings = over_budget(
            queries.recording, test=item.nodeid, total=total, per_request=per_request
        )
    if project is not None:
        settings = project.configuration
        judged = judge(queries.findings, settings.allow)
        findings.extend(item for item in judged.open if item.kind in settings.fail_on)
    if findings:
        pytest.fail(findings_as_text(findings), pytrace=False)


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
