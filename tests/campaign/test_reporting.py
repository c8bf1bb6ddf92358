"""What probes found, weighed against allowances and put into one report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from harness.campaign.ground import Ground
from harness.campaign.outcome import Outcome, without_measurement, worst
from harness.campaign.outside import OutsideTarget
from harness.campaign.reporting import report_of
from harness.campaign.scenario import Settings
from harness.checks.load.classification import Classification
from harness.checks.load.classification import Outcome as Why
from harness.config import Configuration, Project
from harness.findings import Allowance, Finding, ProbeVerdict, Severity, Verdict
from harness.report.load_content import LoadReport

LEAK = Finding("connection-leak", "session", "GET /leak", Severity.ERROR, "3 stay out", "close it")
FAILED = Outcome((ProbeVerdict("slow-requests", Verdict.FAIL, "3 stay out"),), findings=(LEAK,))
TIMED_OUT = Outcome((ProbeVerdict("pool", Verdict.FAIL, "7 waited in vain"),))


def report(*outcomes: Outcome, accepted: tuple[str, ...] = ()) -> LoadReport:
    allowances = tuple(Allowance(identity, "planted") for identity in accepted)
    return report_of(
        outcomes,
        project=Project(Path(), Configuration(app="shop:app", allow=allowances), {}),
        ground=Ground(Settings(), lambda _step: None, outside=OutsideTarget("http://shop.example")),
        started_at=datetime(2026, 1, 2, tzinfo=UTC),
        seconds=5.0,
    )


def test_the_worst_verdict_is_that_of_the_report() -> None:
    assert worst([Verdict.PASS, Verdict.SKIPPED, Verdict.WARN]) is Verdict.WARN
    assert worst([Verdict.INCONCLUSIVE, Verdict.WARN]) is Verdict.INCONCLUSIVE
    assert worst([Verdict.INCONCLUSIVE, Verdict.FAIL]) is Verdict.FAIL


def test_a_campaign_in_which_nothing_could_be_tried_is_skipped() -> None:
    skipped = without_measurement("soak", Verdict.SKIPPED, "not ours")

    assert report(skipped).verdict is Verdict.SKIPPED
    assert report().verdict is Verdict.SKIPPED


def test_a_failure_without_an_allowance_fails_the_report() -> None:
    told = report(FAILED)

    assert told.verdict is Verdict.FAIL
    assert told.judgement.open == (LEAK,)


def test_a_failure_whose_findings_are_accepted_is_a_warning() -> None:
    told = report(FAILED, accepted=(LEAK.identity,))

    assert [item.verdict for item in told.probes] == [Verdict.WARN]
    assert told.verdict is Verdict.WARN
    assert told.judgement.accepted[0][0] == LEAK


def test_what_is_no_error_keeps_no_accepted_failure_alive() -> None:
    warning = replace(LEAK, kind="blocked-loop", severity=Severity.WARNING)
    note = replace(LEAK, kind="no-statement-timeout", severity=Severity.NOTE)
    beside = replace(FAILED, findings=(LEAK, warning, note))

    told = report(beside, accepted=(LEAK.identity,))

    assert told.verdict is Verdict.WARN
    assert told.judgement.open == (warning, note)


def test_a_failed_verdict_without_findings_is_a_finding_that_can_be_accepted() -> None:
    (finding,) = report(TIMED_OUT).judgement.open

    assert finding.kind == "pool-timeout"
    assert report(TIMED_OUT, accepted=(finding.identity,)).verdict is Verdict.WARN


def test_an_allowance_of_one_finding_does_not_accept_another() -> None:
    told = report(FAILED, TIMED_OUT, accepted=(LEAK.identity,))

    assert [item.verdict for item in told.probes] == [Verdict.WARN, Verdict.FAIL]


def test_what_two_probes_found_alike_is_told_once() -> None:
    told = report(FAILED, Outcome(TIMED_OUT.verdicts, findings=(LEAK,)))

    assert told.judgement.open.count(LEAK) == 1


def test_what_two_probes_found_with_other_numbers_fails_both() -> None:
    again = Outcome(
        (ProbeVerdict("limit", Verdict.FAIL, "5 stay out"),),
        findings=(replace(LEAK, title="5 stay out"),),
    )

    told = report(FAILED, again)

    assert [item.verdict for item in told.probes] == [Verdict.FAIL, Verdict.FAIL]
    assert [item.title for item in told.judgement.open] == ["5 stay out"]


def test_the_graver_of_two_findings_is_told() -> None:
    milder = replace(LEAK, severity=Severity.WARNING)

    told = report(FAILED, Outcome(FAILED.verdicts, findings=(milder,)))

    assert told.judgement.open == (LEAK,)


def test_an_accepted_verdict_accepts_no_error_beside_it() -> None:
    (own,) = report(TIMED_OUT).judgement.open
    leaking = Outcome(TIMED_OUT.verdicts, findings=(LEAK,))

    assert report(leaking, accepted=(own.identity,)).verdict is Verdict.FAIL
    assert report(leaking, accepted=(own.identity, LEAK.identity)).verdict is Verdict.WARN


def test_failures_come_first_whichever_probe_found_them() -> None:
    mild = replace(LEAK, kind="blocked-loop", severity=Severity.WARNING)
    note = replace(LEAK, kind="busy", severity=Severity.NOTE)
    first = Outcome((ProbeVerdict("limit", Verdict.WARN, "1"),), findings=(note, mild))

    told = report(first, FAILED)

    assert told.judgement.open == (LEAK, mild, note)


def test_allowances_of_what_other_commands_find_are_not_called_superfluous() -> None:
    assert (
        report(FAILED, accepted=("n-plus-one User.posts @ GET /users",)).judgement.unmatched == ()
    )


def test_a_target_that_is_not_ours_is_named_in_place_of_the_configured_application() -> None:
    told = report(FAILED)

    assert (told.application, told.target, told.database) == (
        "http://shop.example",
        "http://shop.example",
        "",
    )


def classified_as(outcome: Why, reason: str) -> Outcome:
    verdict = ProbeVerdict("slow-requests", Verdict.PASS, reason)
    return Outcome((verdict,), classification=Classification(outcome, "", reason, ()))


def test_why_requests_are_slow_is_told_by_the_last_probe_that_knows() -> None:
    first, last = (classified_as(Why.NOTHING_IS_SLOW, name) for name in ("browse", "sizing"))
    unknown = classified_as(Why.INCONCLUSIVE, "busy")

    def told(*outcomes: Outcome) -> str:
        classification = report(*outcomes).classification
        return classification.reason if classification is not None else ""

    assert told(first, last) == "sizing"
    assert told(first, unknown) == "browse"
    assert told(unknown) == "busy"
    assert told(TIMED_OUT) == ""
