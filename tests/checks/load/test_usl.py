"""The universal scalability law describes a curve, and says how well."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.load.usl import ScalabilityLaw, described
from tests.checks.load.recorded import INDEXED, LOCKED_RATES, SLEEPING


def _rates(sweep: dict[int, object]) -> dict[int, float]:
    return {size: window.client.ok / window.seconds for size, window in sweep.items()}  # type: ignore[attr-defined]  # windows


def test_it_describes_a_short_statement_as_measured() -> None:
    law = described(_rates(dict(SLEEPING)), 8)

    assert law is not None
    assert law.gain == pytest.approx(152, rel=0.01)
    assert law.contention == pytest.approx(0.049, rel=0.02)
    assert law.coherence == pytest.approx(0.0026, rel=0.02)
    assert law.fit == pytest.approx(0.997, abs=0.001)


def test_it_describes_known_locks_as_measured() -> None:
    law = described(LOCKED_RATES, 8)

    assert law is not None
    assert law.contention == pytest.approx(0.088, abs=0.005)
    assert law.coherence == pytest.approx(7.6e-4, rel=0.02)
    assert law.fit == pytest.approx(0.998, abs=0.001)


def test_a_flat_curve_is_described_badly_and_says_so() -> None:
    law = described(_rates(dict(INDEXED)), 1)

    assert law is not None
    assert law.fit < 0.5


@pytest.mark.parametrize(
    ("rates", "knee"),
    [
        ({1: 10.0, 2: 20.0, 4: 30.0, 8: 35.0, 16: 36.0}, 4),
        (LOCKED_RATES, 32),
        (LOCKED_RATES, None),
    ],
    ids=["five sizes", "one beyond the knee", "no knee"],
)
def test_a_sweep_that_does_not_bend_is_not_described(rates: dict[int, float], knee: int) -> None:
    assert described(rates, knee) is None


@given(gain=st.floats(1, 1000), contention=st.floats(0.01, 0.5), coherence=st.floats(0.0001, 0.01))
def test_a_curve_that_follows_the_law_gives_its_parameters(
    gain: float, contention: float, coherence: float
) -> None:
    law = ScalabilityLaw(gain, contention, coherence, 1.0)

    found = described({size: law.rate(size) for size in (1, 2, 4, 8, 16, 32)}, 4)

    assert found is not None
    assert found.gain == pytest.approx(gain, rel=1e-4)
    assert found.contention == pytest.approx(contention, rel=1e-3)
    assert found.coherence == pytest.approx(coherence, rel=1e-2)
