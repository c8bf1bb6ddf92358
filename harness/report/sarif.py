"""The query report as SARIF 2.1.0, what code hosts show as alerts at lines of code.

Accepted findings are left out: GitHub does not document how it takes ``suppressions``. A result
needs a place, so what has none in the repository stands at the query lock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from harness.checks.regression import EndpointChange
from harness.findings import Finding, Severity, SourceLine, Verdict
from harness.lock.file import FILE_NAME
from harness.report.finding_json import Json
from harness.report.query_content import QueryReport
from harness.report.query_lines import cut_sql
from harness.report.query_paths import path_in_repository
from harness.report.query_wording import (
    accept_command,
    changed_totals,
    endpoint_site,
    open_findings,
    open_findings_at,
    regressions,
    shape_history,
    witness,
)
from harness.report.sarif_rules import REGRESSION_RULE, rule_texts
from harness.report.wording import single_line

__all__ = ["query_to_sarif"]

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ROOT = "%SRCROOT%"
_MOST_SHAPES = 10
_MOST_RELATED = 10
_LONGEST_SQL = 200
# Not `primaryLocationLineHash`: GitHub's upload computes that one from the source, and warns of
# every result whose value is another.
_FINGERPRINT = "harnessIdentity/v1"


def query_to_sarif(report: QueryReport, *, folder: str = "") -> str:
    """The report as SARIF text.

    Args:
        report: The report.
        folder: Where the project lies in its repository; empty where it is all of it.
    """
    found = open_findings(report)
    worse = regressions(report)
    kinds = {each.kind for each in found} | ({REGRESSION_RULE} if worse else set[str]())
    rules = sorted(kinds)
    results = [
        *(_regression(report, change, folder) for change in worse),
        *(_finding(report, finding, folder) for finding in found),
    ]
    content: dict[str, Json] = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver(report, rules)},
                # A category of its own, so that it replaces no other tool's alerts.
                "automationDetails": {"id": "fastapi-sqlalchemy-harness/queries/"},
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {
                    _ROOT: {"description": {"text": "The root of the repository."}}
                },
                "invocations": [_invocation(report)],
                "results": [{**each, "ruleIndex": rules.index(_rule(each))} for each in results],
            }
        ],
    }
    # Half of a character is what no reader of JSON takes; it may come with the text of a line.
    text = json.dumps(content, indent=2, ensure_ascii=False)
    return text.encode(errors="replace").decode() + "\n"


def _rule(result: dict[str, Json]) -> str:
    return str(result["ruleId"])


def _driver(report: QueryReport, rules: Iterable[str]) -> dict[str, Json]:
    return {
        "name": "fastapi-sqlalchemy-harness",
        "version": report.harness_version,
        "rules": [_described(rule) for rule in rules],
    }


def _described(rule: str) -> Json:
    what, remedy = rule_texts(rule)
    return {
        "id": rule,
        "name": "".join(word.capitalize() for word in rule.split("-")),
        "shortDescription": {"text": what},
        "fullDescription": {"text": f"{what}."},
        "help": {"text": remedy},
        "properties": {"tags": ["performance", "sql"]},
    }


def _invocation(report: QueryReport) -> Json:
    is_blind = report.verdict is Verdict.INCONCLUSIVE
    problems = report.problems or (("the gate could not see",) if is_blind else ())
    return {
        "executionSuccessful": not is_blind,
        "toolExecutionNotifications": [
            *(_notification(text, "error" if is_blind else "warning") for text in problems),
            *(_notification(f"not a complete run: {text}", "note") for text in report.gaps),
        ],
    }


def _notification(text: str, level: str) -> Json:
    return {"level": level, "message": {"text": text.strip() or level}}


def _finding(report: QueryReport, finding: Finding, folder: str) -> dict[str, Json]:
    endpoint = endpoint_site(report, finding.anchor)
    related = [(item.role, item.site) for item in finding.related]
    if endpoint is not None and endpoint not in [site for _, site in related]:
        related.append(("endpoint", endpoint))
    evidence = [f"{name}: {value}" for name, value in finding.evidence]
    lines = [finding.title, f"Change: {finding.fix}", *evidence]
    return {
        "ruleId": finding.kind,
        "level": _LEVELS[finding.severity],
        "message": {"text": "\n".join(lines)},
        "locations": [_location(finding.site, endpoint, folder)],
        "relatedLocations": list(_related(related, folder)),
        "partialFingerprints": _fingerprints(finding.identity),
    }


_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def _regression(report: QueryReport, change: EndpointChange, folder: str) -> dict[str, Json]:
    endpoint = endpoint_site(report, change.endpoint)
    found = open_findings_at(report, change.endpoint)
    related = [(finding.title, finding.site) for finding in found if finding.site is not None]
    return {
        "ruleId": REGRESSION_RULE,
        "level": "error",
        "message": {"text": "\n".join(_changed(report, change))},
        "locations": [_location(endpoint, None, folder)],
        "relatedLocations": list(_related(related, folder)),
        "partialFingerprints": _fingerprints(
            f"{REGRESSION_RULE} {change.endpoint} on {change.dialect}"
        ),
    }


def _changed(report: QueryReport, change: EndpointChange) -> Iterator[str]:
    yield single_line(f"{change.endpoint} on {change.dialect}: {changed_totals(change)}.")
    worse = [shape for shape in change.shapes if shape.is_worse]
    for shape in worse[:_MOST_SHAPES]:
        text = cut_sql(shape.text, _LONGEST_SQL)
        yield f"{shape.after - shape.before:+d}  {text}  ({shape_history(shape)})"
    if len(worse) > _MOST_SHAPES:
        yield f"… and {len(worse) - _MOST_SHAPES} more"
    test = witness(report, change)
    if test:
        yield f"Shown by {single_line(test)}."
    yield f"Accept: {accept_command(change)}"


def _location(site: SourceLine | None, instead: SourceLine | None, folder: str) -> dict[str, Json]:
    for each in (site, instead):
        located = _in_repository(each, folder)
        if each is not None and located is not None:
            return located
    lock = SourceLine(FILE_NAME, 1, "")
    named = _in_repository(lock, folder) or {}
    return {**named, **_logical(site)}


def _in_repository(site: SourceLine | None, folder: str) -> dict[str, Json] | None:
    path = path_in_repository(site, folder)
    if site is None or path is None:
        return None
    physical: dict[str, Json] = {
        "artifactLocation": {"uri": quote(path, errors="replace"), "uriBaseId": _ROOT}
    }
    if site.line >= 1:
        snippet: dict[str, Json] = {"snippet": {"text": site.code}} if site.code else {}
        physical["region"] = {"startLine": site.line, **snippet}
    return {"physicalLocation": physical, **_logical(site)}


def _logical(site: SourceLine | None) -> dict[str, Json]:
    if site is None or not site.function:
        return {}
    return {"logicalLocations": [{"fullyQualifiedName": site.function, "kind": "function"}]}


def _related(sites: Iterable[tuple[str, SourceLine]], folder: str) -> Iterator[Json]:
    located = ((role, _in_repository(site, folder)) for role, site in sites)
    known = [(role, place) for role, place in located if place is not None]
    for number, (role, place) in enumerate(known[:_MOST_RELATED]):
        yield {"id": number, "message": {"text": role.strip() or "related"}, **place}


def _fingerprints(identity: str) -> Json:
    return {_FINGERPRINT: hashlib.sha256(identity.encode(errors="backslashreplace")).hexdigest()}
