"""What `isolation.py` says: tables, and whether each target is met and, if not, why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from benchmarks.bracket import Bracket
from benchmarks.copies import LONG, TRIVIAL, CopyCosts, Waits
from benchmarks.figures import Figures
from benchmarks.table import cells, milliseconds, noise, paragraph, table, verdict
from benchmarks.trivial_tests import FLOOR, HARNESS, RECIPE, TestCosts

__all__ = [
    "bracket_lines",
    "brackets_as_json",
    "copies_as_json",
    "copy_lines",
    "test_lines",
    "tests_as_json",
]

_BRACKET_SECONDS = 0.0003
_WAIT_SECONDS = 0.005
_NOISE = 0.1
"""A difference of medians below this share is not one."""


def bracket_lines(brackets: Mapping[str, Mapping[str, Bracket]]) -> Iterator[str]:
    """Rollback mode and SQLAlchemy's recipe, per driver."""
    rows = []
    for driver, ways in brackets.items():
        plain = ways["none"].whole
        rows += [
            [f"{driver}, {_LABELS[way]}", *cells(one.around), *_whole(one.whole, plain)]
            for way, one in ways.items()
            if way != "none"
        ]
    yield from table(["begin + rollback:", "median", "min", "p95", "test", "over none"], rows)
    yield ""
    for driver, ways in brackets.items():
        around = ways["harness"].around
        said = verdict(around.median, _BRACKET_SECONDS, around)
        figures = f"{milliseconds(around.median)} ms, target {_BRACKET_SECONDS * 1000}"
        yield f"  {said}  {driver}: begin + rollback {figures}"
    yield ""
    yield paragraph(
        "'test' is the whole test, 'over none' what it takes more than the same body without any "
        "isolation: the harness begins with the test's first statement, which is in there. "
        + noise(one.whole for ways in brackets.values() for one in ways.values())
    )


_LABELS = {"harness": "harness", "recipe": "recipe"}


def _whole(whole: Figures, plain: Figures) -> list[str]:
    return [milliseconds(whole.median), milliseconds(whole.over(plain))]


def test_lines(costs: Mapping[str, TestCosts]) -> Iterator[str]:
    """The trivial test by every way, the cheapest first."""
    floor = costs[FLOOR].per_test
    ordered = sorted(costs.items(), key=lambda item: item[1].per_test.over(floor))
    rows = [[name, *cells(one.per_test), *_beyond(one, floor)] for name, one in ordered]
    heading = ["", "median", "min", "p95", "mean", "over floor", "first test"]
    yield from table(heading, rows)
    yield ""
    ours, recipe = costs[HARNESS].per_test, costs[RECIPE].per_test
    more = ours.over(recipe)
    share = more / recipe.median
    figures = f"{share:+.0%} ({more * 1000:+.2f} ms) to the recipe, target: not slower"
    yield f"  {verdict(share, _NOISE, ours, recipe)}  {HARNESS}: {figures}"
    yield ""
    yield paragraph(
        "From the beginning of a test to that of the next. 'first test' has what a run does once. "
        f"Within {_NOISE:.0%} counts as equal. " + noise(one.per_test for one in costs.values())
    )


def _beyond(one: TestCosts, floor: Figures) -> list[str]:
    over = "" if one.per_test is floor else milliseconds(one.per_test.over(floor))
    return [milliseconds(one.per_test.mean), over, milliseconds(one.first_test.median)]


def copy_lines(costs: CopyCosts) -> Iterator[str]:
    """What copies cost alone, and what of it tests wait for."""
    alone = costs.alone
    steps = {"create": alone.create, "connect": alone.connect, "drop": alone.drop}
    rows = [[f"alone: {step}", *cells(figures)] for step, figures in steps.items()]
    for body, waits in costs.bodies.items():
        parts = [(field.name, getattr(waits, field.name)) for field in fields(waits)]
        rows += [[f"{body}: {name}", *cells(figures)] for name, figures in parts]
    yield from table(["", "median", "min", "p95"], rows)
    yield ""
    for body in (TRIVIAL, LONG):
        yield from _judged(body, costs.bodies[body], alone.total)
    yield ""
    yield paragraph(
        f"'wait' is until the test has its copy (made by {alone.copied_by}), 'connect' its first "
        "connection and query there, 'end' until the next test may begin. "
        + noise(waits.whole for waits in costs.bodies.values())
    )


def _judged(body: str, waits: Waits, alone: float) -> Iterator[str]:
    wait = waits.wait.median
    is_long = waits.body.median > alone
    said = verdict(wait, _WAIT_SECONDS, waits.wait)
    yield f"  {said}  {body}: waits {milliseconds(wait)} ms, target {_WAIT_SECONDS * 1000:.0f}"
    if not is_long or wait > _WAIT_SECONDS:
        relation = "longer" if is_long else "shorter"
        yield paragraph(
            f"The body takes {milliseconds(waits.body.median)} ms, {relation} than create, connect "
            f"and drop alone ({milliseconds(alone)} ms); a whole test takes "
            f"{milliseconds(waits.whole.median)}. {_cause(waits)}"
        )


def _cause(waits: Waits) -> str:
    parts = {"the wait for the copy": waits.wait, "connecting to it": waits.connect}
    parts |= {"the body": waits.body, "the end": waits.end}
    name, figures = max(parts.items(), key=lambda item: item[1].median)
    return f"Most of it is {name}: {figures.median / waits.whole.median:.0%}."


def brackets_as_json(brackets: Mapping[str, Mapping[str, Bracket]]) -> dict[str, Any]:
    """By driver and way."""
    return {
        driver: {
            way: {"begin_and_rollback": one.around.as_json(), "whole": one.whole.as_json()}
            for way, one in ways.items()
        }
        for driver, ways in brackets.items()
    }


def tests_as_json(costs: Mapping[str, TestCosts]) -> dict[str, Any]:
    """By way."""
    return {
        name: {"per_test": one.per_test.as_json(), "first_test": one.first_test.as_json()}
        for name, one in costs.items()
    }


def copies_as_json(costs: CopyCosts) -> dict[str, Any]:
    """Alone, and by body."""
    alone = costs.alone
    return {
        "copied_by": alone.copied_by,
        "create": alone.create.as_json(),
        "connect": alone.connect.as_json(),
        "drop": alone.drop.as_json(),
        "bodies": {
            body: {field.name: getattr(waits, field.name).as_json() for field in fields(waits)}
            for body, waits in costs.bodies.items()
        },
    }
