"""The knee of a sweep is the capacity of the database, also where windows are off by 15 %."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.capture.windows import MachineWindow
from harness.checks.load.sizing_curve import curve_of, knee_of
from tests.checks.load.capacities import CAPACITIES, POWERS, in_rounds
from tests.checks.load.recorded import LOCKED, LOCKED_RATES

KNOWN = pytest.mark.parametrize("keys", CAPACITIES)


def _steps_apart(sizes: Sequence[int], knee: int | None, truth: int) -> int:
    return abs(sizes.index(knee) - sizes.index(truth)) if knee is not None else len(sizes)


def _noisy_median(rates: Mapping[int, float], chance: random.Random) -> dict[int, float]:
    """The middle of three rounds, each off by up to 15 %."""
    return {
        size: median(rate * chance.uniform(0.85, 1.15) for _ in range(3))
        for size, rate in rates.items()
    }


def test_the_simulated_capacity_is_like_the_measured_one() -> None:
    measured = {size: LOCKED_RATES[size] for size in POWERS}

    assert CAPACITIES[8] == pytest.approx(measured, rel=0.1)


@KNOWN
def test_the_knee_is_the_known_capacity(keys: int) -> None:
    assert knee_of(CAPACITIES[keys]) == keys


def test_a_size_that_went_badly_does_not_end_the_curve() -> None:
    # From 1 to 2 connections nothing, from 2 to 4 all of it: 0.63 on the whole.
    assert knee_of({1: 10.0, 2: 12.0, 4: 24.0, 8: 26.0}) == 4


def test_the_knee_of_the_measured_sweep_is_the_known_capacity() -> None:
    assert knee_of(LOCKED_RATES) == 8


@KNOWN
@given(seed=st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_noise_moves_the_knee_by_one_step_at_most(keys: int, seed: int) -> None:
    rates = _noisy_median(CAPACITIES[keys], random.Random(seed))  # noqa: S311 - noise

    assert _steps_apart(POWERS, knee_of(rates), keys) <= 1


def test_with_small_steps_noise_leaves_the_knee_within_one_step_most_of_the_time() -> None:
    chance = random.Random(7)  # noqa: S311 - noise
    sizes = sorted(LOCKED_RATES)

    knees = [knee_of(_noisy_median(LOCKED_RATES, chance)) for _ in range(1000)]

    apart = [_steps_apart(sizes, knee, 8) for knee in knees]
    assert sum(steps <= 1 for steps in apart) >= 880
    assert max(apart) <= 2


def test_reasons_that_differ_in_their_figures_are_told_once() -> None:
    busy = [
        replace(window, machine=MachineWindow(cores=2, generator_cpu=0.1, foreign_cpu=foreign))
        for foreign, window in zip((1.5, 1.2, 0.9), LOCKED.values(), strict=False)
    ]

    (told,) = curve_of(busy).left_out

    assert told.startswith("3 x the machine was busy with something else: 1.50 of a core")


def test_windows_that_were_left_out_do_not_count() -> None:
    spoiled = replace(LOCKED[16], machine=MachineWindow(2, 0.9, 0.1))

    curve = curve_of([*in_rounds(LOCKED), spoiled])

    assert curve.rates == {
        size: pytest.approx(rate, rel=0.01) for size, rate in LOCKED_RATES.items()
    }
    assert curve.left_out[0].startswith("1 x the generator was the limit")
