"""What is said of a load on empty tables, and of a pool size that comes from one."""

from __future__ import annotations

import pytest

from harness.checks.load.empty_tables import on_empty_tables, with_caveat
from harness.checks.load.recommended import Recommendation
from harness.findings import Severity, Verdict


def test_probes_on_an_empty_database_are_named_with_the_remedy() -> None:
    judged = on_empty_tables(7, ["browse", "pool_sizing", "soak"])

    (finding,) = judged.findings
    assert judged.verdict.verdict is Verdict.WARN
    assert judged.verdict.summary == (
        "none of 7 tables has a row: browse, pool_sizing and soak were held on an empty database"
    )
    assert (finding.severity, finding.identity) == (
        Severity.WARNING,
        "empty-tables tables @ the whole application",
    )
    assert "populate" in finding.fix


def test_one_table_and_one_probe_are_told_as_such() -> None:
    judged = on_empty_tables(1, ["soak"])

    assert judged.verdict.summary == (
        "the only table has no row: soak was held on an empty database"
    )


def test_where_no_pool_size_is_recommended_there_are_no_reservations() -> None:
    told = Recommendation(Verdict.INCONCLUSIVE, "the machine was busy")

    assert with_caveat(told) == told


@pytest.mark.parametrize(
    ("verdict", "told"),
    [(Verdict.PASS, Verdict.WARN), (Verdict.WARN, Verdict.WARN), (Verdict.FAIL, Verdict.FAIL)],
)
def test_a_pool_size_from_empty_tables_is_no_pass(verdict: Verdict, told: Verdict) -> None:
    caveat = with_caveat(Recommendation(verdict, "pool_size=2", pool_size=2, reasons=("knee",)))

    assert (caveat.verdict, caveat.pool_size) == (told, 2)
    assert caveat.summary == "pool_size=2; measured on tables without a row"
    assert caveat.reasons == ("knee", "measured on tables without a row")
    assert caveat.would_change == ("rows in the tables: there was none",)
