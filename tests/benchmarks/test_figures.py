"""What is made of timings, and what is said of them."""

from __future__ import annotations

import pytest

from benchmarks import isolation_report as report
from benchmarks.bracket import Bracket
from benchmarks.copies import LONG, TRIVIAL, Alone, CopyCosts, Waits
from benchmarks.figures import Figures
from benchmarks.rounds import Progress, interleaved
from benchmarks.table import noise, table, verdict
from benchmarks.trivial_tests import FLOOR, HARNESS, RECIPE, TestCosts


def constant(milliseconds: float) -> Figures:
    return Figures(((milliseconds / 1000,),) * 2)


def waits(*, wait: float, body: float) -> Waits:
    return Waits(
        wait=constant(wait),
        connect=constant(1),
        body=constant(body),
        end=constant(1),
        whole=constant(wait + body + 2),
    )


def test_the_median_is_that_of_rounds() -> None:
    figures = Figures(((1, 1, 1), (2, 2, 2), (90, 90, 90, 90, 90)))

    assert figures.median == 2


def test_a_difference_is_taken_within_rounds() -> None:
    """The second round was disturbed, for both alike."""
    slow, fast = Figures(((3,), (13,), (3,))), Figures(((1,), (11,), (2,)))

    assert slow.over(fast) == 2


def test_p95_is_a_measured_value() -> None:
    figures = Figures((tuple(range(1, 101)),))

    assert figures.p95 == 95


def test_every_candidate_is_measured_once_per_round() -> None:
    measured: list[str] = []

    def measure(name: str) -> int:
        measured.append(name)
        return len(measured)

    found = interleaved("it", ["a", "b", "c"], measure, rounds=4, progress=Progress())

    assert [len(values) for values in found.values()] == [4, 4, 4]
    assert [sorted(measured[at : at + 3]) for at in (0, 3, 6, 9)] == [["a", "b", "c"]] * 4


def test_a_long_name_does_not_widen_the_table() -> None:
    lines = list(table(["", "median"], [["n" * 150, "1.00"]]))

    assert [len(line) for line in lines] == [80, 80]
    assert lines[1].endswith("n…    1.00")


def test_one_round_claims_nothing_about_noise() -> None:
    assert noise([Figures(((1.0,),))]) == "One round says nothing about the noise."


def test_rounds_that_disagree_allow_no_verdict() -> None:
    disagreeing = Figures(((1,), (1,), (2,), (3,), (3,)))

    assert verdict(2, 9, disagreeing) == "UNSURE"


def test_one_disturbed_round_does_not_prevent_a_verdict() -> None:
    disturbed = Figures(((1,), (1,), (1.1,), (1,), (30,)))

    assert verdict(1, 9, disturbed) == "met   "


@pytest.mark.parametrize(("milliseconds", "expected"), [(0.29, "met"), (0.31, "MISSED")])
def test_a_slow_bracket_misses_its_target(milliseconds: float, expected: str) -> None:
    ways = {
        "harness": Bracket(constant(milliseconds), constant(2)),
        "none": Bracket(constant(0), constant(1)),
    }

    lines = list(report.bracket_lines({"asyncpg": ways}))

    assert any(line.split()[0] == expected for line in lines if line)


@pytest.mark.parametrize(("milliseconds", "expected"), [(3.1, "met"), (4.0, "MISSED")])
def test_slower_than_the_recipe_misses_its_target(milliseconds: float, expected: str) -> None:
    costs = {FLOOR: 1.0, HARNESS: milliseconds, RECIPE: 3.0}
    known = {name: TestCosts(constant(value), constant(1)) for name, value in costs.items()}

    lines = list(report.test_lines(known))

    assert any(line.split()[0] == expected for line in lines if line)


def test_a_wait_that_is_too_long_is_explained() -> None:
    alone = Alone(constant(10), constant(5), constant(5), "file_copy")
    bodies = {TRIVIAL: waits(wait=12, body=2), LONG: waits(wait=1, body=25)}

    lines = "\n".join(report.copy_lines(CopyCosts(alone, bodies)))

    assert "MISSED  trivial body: waits 12.0 ms, target 5" in lines
    assert "Most of it is the wait for the copy: 75%." in " ".join(lines.split())
    assert "met     longer body: waits 1.00 ms, target 5" in lines
