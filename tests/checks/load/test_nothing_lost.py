"""Every write that was answered 2xx is there exactly once, or the run has failed."""

from __future__ import annotations

from harness.capture.reckoning import Reckoning, Write, reckon
from harness.checks.load.judged import Judged
from harness.checks.load.nothing_lost import nothing_lost
from harness.findings import SourceLine, Verdict

GOOD = reckon([Write("a", 201), Write("b", 200)], {"a": 1, "b": 1})


def judged(*reckonings: Reckoning) -> Judged:
    return nothing_lost([("server restarted", each) for each in reckonings], route="POST /todos")


def test_all_there_once_passes_and_tells_the_rest() -> None:
    mixed = reckon([Write("c", 201), Write("d", 503), Write("e", None)], {"c": 1, "e": 1})

    verdict = judged(GOOD, mixed).verdict

    assert verdict.verdict is Verdict.PASS
    assert verdict.summary == (
        "all of 3 writes that were answered 2xx are there once; there, too: 0 of 1 that failed, "
        "1 of 1 that had no answer"
    )


def test_of_writes_that_never_failed_nothing_is_told() -> None:
    summary = judged(GOOD, reckon([Write("c", 201)], {"c": 1})).verdict.summary

    assert summary.endswith("writes that were answered 2xx are there once")


def test_one_write_is_told_as_one() -> None:
    summary = judged(reckon([Write("c", 201)], {"c": 1})).verdict.summary

    assert summary == "the one write that was answered 2xx is there once"


def test_a_lost_write_fails_and_names_trouble_and_route() -> None:
    told = judged(GOOD, reckon([Write("c", 201), Write("d", 201)], {"c": 1}))

    assert told.verdict.verdict is Verdict.FAIL
    assert told.verdict.summary == "server restarted: 1 of 2 writes answered 2xx and not there"
    (finding,) = told.findings
    assert finding.identity == "lost-write server restarted @ POST /todos"
    assert finding.evidence == (("key", "d"),)
    assert 'scope="function"' in finding.fix


def test_a_lost_write_has_the_line_of_its_endpoint_where_that_is_known() -> None:
    line = SourceLine("shop/orders.py", 7, "order")
    lost = [("server restarted", reckon([Write("c", 201)], {}))]

    (finding,) = nothing_lost(lost, route="POST /todos", site=line).findings

    assert finding.site == line


def test_a_doubled_write_fails_whatever_it_was_answered() -> None:
    told = judged(GOOD, reckon([Write("c", None), Write("d", 201)], {"c": 2, "d": 1}))

    assert told.verdict.verdict is Verdict.FAIL
    assert [finding.kind for finding in told.findings] == ["doubled-write"]


def test_without_a_good_answer_nothing_can_be_said() -> None:
    verdict = judged(reckon([Write("c", 422), Write("d", None)], {})).verdict

    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert verdict.summary.startswith("none of 2 writes to POST /todos was answered 2xx")


def test_without_any_stretch_nothing_can_be_said() -> None:
    assert judged().verdict.verdict is Verdict.INCONCLUSIVE
