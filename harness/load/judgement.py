"""What a run of Locust is judged by, here where the load is all that there is to judge.

Pure: from what clients and probe counted to verdicts and an exit code. Free of Locust.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from textwrap import wrap

from harness.checks.load.validity import DROPPED_SHARE, GENERATOR_CPU, NO_PROBE
from harness.checks.steady_load import pool_timeouts, steady_answers
from harness.errors import ExitCode
from harness.findings import ProbeVerdict, Verdict
from harness.load.pools_seen import PoolsSeen
from harness.load.result import LoadResult
from harness.load.story import load_story

__all__ = ["exit_code", "interrupted_line", "judged_load", "line_of"]

_COLUMNS = 80
_EXIT_CODES = {
    Verdict.FAIL: ExitCode.FINDINGS,
    Verdict.INCONCLUSIVE: ExitCode.ENVIRONMENT,
}


def judged_load(result: LoadResult, seen: PoolsSeen | None) -> list[ProbeVerdict]:
    """The verdicts on a run.

    Args:
        result: What the clients saw.
        seen: What the probe saw meanwhile; None where there is no probe.
    """
    return [*_of_clients(result), *_of_pools(result, seen)]


def exit_code(verdicts: Iterable[ProbeVerdict]) -> ExitCode:
    """Of the worst; a failure counts even where something else could not be told."""
    codes = [_EXIT_CODES.get(verdict.verdict, ExitCode.CLEAN) for verdict in verdicts]
    return ExitCode.FINDINGS if ExitCode.FINDINGS in codes else max(codes, default=ExitCode.CLEAN)


def line_of(verdict: ProbeVerdict) -> str:
    """A verdict for the terminal."""
    return _lines(f"harness: {verdict.probe:<6} {verdict.verdict:<12} {verdict.summary}")


def interrupted_line(result: LoadResult) -> str:
    """What is known of a run that was not allowed to end."""
    summary = steady_answers(load_story(result, None)).summary
    return _lines(f"harness: {'load':<6} {'interrupted':<12} {summary}")


def _lines(text: str) -> str:
    """As wide as the narrowest usual terminal; each of them is found by its first word, too."""
    return "\n".join(
        wrap(
            text,
            _COLUMNS,
            subsequent_indent="harness:   ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _of_clients(result: LoadResult) -> Iterator[ProbeVerdict]:
    answers = steady_answers(load_story(result, None))
    invalid = list(_invalid(result))
    # What failed has failed, however many were not sent; that all went well cannot be said.
    if answers.verdict is not Verdict.PASS or not invalid:
        yield answers
    yield from invalid
    if result.target_rate is not None and not invalid:
        reached = f"{result.target_rate:g} a second, {result.tally.dropped} not sent in time"
        yield ProbeVerdict("rate", Verdict.PASS, reached)
    if result.unstarted_users:
        yield ProbeVerdict(
            "users",
            Verdict.WARN,
            f"{result.unstarted_users} more were asked for, which there was no time to start: a "
            "longer --run-time does, or a greater --spawn-rate",
        )
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


def _of_pools(result: LoadResult, seen: PoolsSeen | None) -> Iterator[ProbeVerdict]:
    if seen is None:
        yield ProbeVerdict("pool", Verdict.SKIPPED, NO_PROBE)
        return
    story = replace(load_story(result, None), pools=seen.pools)
    timeouts = pool_timeouts(story)
    # What one process shows is so; that nothing happened, none can say for another.
    is_told = timeouts.verdict is Verdict.FAIL or not seen.why_unread
    yield timeouts if is_told else ProbeVerdict("pool", Verdict.INCONCLUSIVE, seen.why_unread)
    yield seen.leak or ProbeVerdict("leak", Verdict.INCONCLUSIVE, seen.why_unread)
