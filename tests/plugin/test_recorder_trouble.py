"""A recorder that fails: the test passes, a gate that needed to see does not, and both are told."""

from __future__ import annotations

from tests.plugin.conftest import Project

ODD_VALUE = """
    import pytest
    from sqlalchemy import create_engine

    class Unhashable(str):
        def __hash__(self):
            raise ZeroDivisionError

    def run_odd_statement():
        engine = create_engine("sqlite://")
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT ?", (Unhashable("x"),))
        engine.dispose()
"""


def test_a_recorder_that_fails_is_told_and_fails_only_the_gate(project: Project) -> None:
    result = project.run(f"""{ODD_VALUE}
    def test_without_a_gate(queries):
        run_odd_statement()
        assert queries.count == 1

    @pytest.mark.max_queries(5)
    def test_with_a_gate():
        run_odd_statement()
    """)

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*the recorder failed; 1 statements were counted*",
            "*blind-recorder*",
            "*harness: recorder*",
            "failed: ZeroDivisionError in __hash__*",
        ]
    )
