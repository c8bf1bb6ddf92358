"""A failed probe is a finding that an allowance can accept."""

from __future__ import annotations

import pytest

from harness.checks.probe import finding_of
from harness.findings import ProbeVerdict, Verdict


@pytest.mark.parametrize(
    ("probe", "summary", "identity"),
    [
        ("load", "9 requests, 1 failed", "failed-requests load @ the whole application"),
        ("pool", "3 timeouts", "pool-timeout pool @ the whole application"),
        ("leak", "1 still out", "connection-leak leak @ the whole application"),
        (
            "exhaustion",
            "errors: 12 ok, 3 error; answer 503",
            "pool-exhaustion errors @ the whole application",
        ),
    ],
)
def test_a_failed_probe_has_an_identity_without_numbers(
    probe: str, summary: str, identity: str
) -> None:
    finding = finding_of(ProbeVerdict(probe, Verdict.FAIL, summary))

    assert finding is not None
    assert finding.identity == identity
    assert finding.title == summary


@pytest.mark.parametrize(
    "verdict", [Verdict.PASS, Verdict.WARN, Verdict.INCONCLUSIVE, Verdict.SKIPPED]
)
def test_any_other_verdict_is_no_finding(verdict: Verdict) -> None:
    assert finding_of(ProbeVerdict("load", verdict, "whatever")) is None
