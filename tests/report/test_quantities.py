"""Numbers carry their units and never more digits than they deserve."""

from __future__ import annotations

import pytest

from harness.report.quantities import counted, duration, grouped, plain


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ms"),
        (0.00001, "<0.1 ms"),
        (0.0054, "5.4 ms"),
        (0.00996, "10 ms"),
        (0.412, "412 ms"),
        (0.9996, "1 s"),
        (1.24, "1.24 s"),
        (2.0, "2 s"),
        (12.34, "12.3 s"),
        (59.7, "1 min"),
        (125.0, "2 min 5 s"),
        (None, "-"),
        (float("inf"), "-"),
    ],
)
def test_a_duration_reads_with_its_unit(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_one_thing_is_singular_and_none_is_plural() -> None:
    assert [counted(n, "finding") for n in (0, 1, 1200)] == [
        "0 findings",
        "1 finding",
        "1,200 findings",
    ]


def test_a_missing_number_is_a_dash() -> None:
    assert (grouped(None), plain(None)) == ("-", "-")
