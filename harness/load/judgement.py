"""What a run of Locust is judged by, here where the load is all that there is to judge.

Pure: from what clients and probe counted to verdicts and an exit code. Free of Locust.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.checks.load.validity import DROPPED_SHARE, GENERATOR_CPU
from harness.checks.steady_load import connections_returned, pool_timeouts, steady_answers
from harness.errors import ExitCode
from harness.findings import ProbeVerdict, Verdict
from harness.load.result import LoadResult
from harness.load.story import load_story

__all__ = ["exit_code", "interrupted_line", "judged_load", "line_of"]

_EXIT_CODES = {
    Verdict.FAIL: ExitCode.FINDINGS,
    Verdict.INCONCLUSIVE: ExitCode.ENVIRONMENT,
}
_NO_PROBE = "the target has no probe, or HARNESS_TOKEN is not set"


def judged_load(result: LoadResult, status: Mapping[str, Any] | None) -> list[ProbeVerdict]:
    """The verdicts on a run.

    Args:
        result: What the clients saw.
        status: The probe's counts after it; None where there is no probe.
    """
    return [*_of_clients(result), *_of_pools(result, status)]


def exit_code(verdicts: Iterable[ProbeVerdict]) -> ExitCode:
    """Of the worst; a failure counts even where something else could not be told."""
    codes = [_EXIT_CODES.get(verdict.verdict, ExitCode.CLEAN) for verdict in verdicts]
    return ExitCode.FINDINGS if ExitCode.FINDINGS in codes else max(codes, default=ExitCode.CLEAN)


def line_of(verdict: ProbeVerdict) -> str:
    """A verdict for the terminal."""
    return f"harness: {verdict.probe:<6} {verdict.verdict:<12} {verdict.summary}"


def interrupted_line(result: LoadResult) -> str:
    """What is known of a run that was not allowed to end."""
    summary = steady_answers(load_story(result, None)).summary
    return f"harness: {'load':<6} {'interrupted':<12} {summary}"


def _of_clients(result: LoadResult) -> Iterator[ProbeVerdict]:
    answers = steady_answers(load_story(result, None))
    invalid = list(_invalid(result))
    # What failed has failed, however many were not sent; that all went well cannot be said.
    if answers.verdict is not Verdict.PASS or not invalid:
        yield answers
    yield from invalid
    if result.target_rate is not None and not _is_dropping(result):
        reached = f"{result.target_rate:g} a second, {result.tally.dropped} not sent in time"
        yield ProbeVerdict("rate", Verdict.PASS, reached)
    if result.generator_cpu > GENERATOR_CPU:
        yield ProbeVerdict(
            "cpu",
            Verdict.WARN,
            f"the generator used {result.generator_cpu:.2f} of a core: rates and latencies are "
            "its own; spread it with --processes, or over machines",
        )


def _invalid(result: LoadResult) -> Iterator[ProbeVerdict]:
    if result.losses:
        yield ProbeVerdict("counts", Verdict.INCONCLUSIVE, "; ".join(result.losses))
    if _is_dropping(result):
        arrivals = result.tally.requests + result.tally.dropped
        yield ProbeVerdict(
            "rate",
            Verdict.INCONCLUSIVE,
            f"{result.tally.dropped} of {arrivals} arrivals were not sent in time, at most "
            f"{DROPPED_SHARE:.0%} is allowed; more users, or --processes, send more",
        )


def _is_dropping(result: LoadResult) -> bool:
    arrivals = result.tally.requests + result.tally.dropped
    return result.tally.dropped > arrivals * DROPPED_SHARE


def _of_pools(result: LoadResult, status: Mapping[str, Any] | None) -> Iterator[ProbeVerdict]:
    if status is None:
        yield ProbeVerdict("pool", Verdict.SKIPPED, _NO_PROBE)
        return
    story = load_story(result, status)
    yield pool_timeouts(story)
    yield connections_returned(story)
