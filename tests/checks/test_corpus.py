"""Precision and recall over the labelled corpus: all of it is found, and nothing else.

SQLite does not tell how many rows a query returned, so what is judged by rows runs on PostgreSQL.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from harness.checks.statements import statement_findings
from harness.database.server import PostgresServer
from harness.findings import Finding
from tests.checks.corpus import (
    clean_loading,
    clean_repeats,
    found_relationships,
    found_repeats,
    rows_of_results,
)
from tests.checks.corpus.labels import Case, Expected, cases_in
from tests.checks.corpus.run import called
from tests.checks.corpus.sessions import Databases, filled, on_postgresql, on_sqlite
from tests.databases import create_database, drop_database

ON_SQLITE = (found_relationships, found_repeats, clean_loading, clean_repeats)
CASES = [case for module in ON_SQLITE for case in cases_in(module)]
BY_ROWS = list(cases_in(rows_of_results))
FEWEST_OF_EACH = 40
DATABASE = "harness_corpus"


def _name(case: Case) -> str:
    return case.name


class Answers:
    """What the checks say of each handler, which is called once."""

    def __init__(self, folder: Path) -> None:
        self._template = folder / "template.db"
        self._known: dict[Case, list[Finding]] = {}
        with closing(on_sqlite(self._template)) as databases:
            filled(databases)

    def to(self, case: Case) -> list[Finding]:
        if case not in self._known:
            file = self._template.with_name(f"{case.name}.db")
            with closing(on_sqlite(Path(shutil.copy(self._template, file)))) as databases:
                self._known[case] = statement_findings(called(case, databases))
        return self._known[case]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return Answers(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def postgresql(harness_postgres: PostgresServer) -> Iterator[Databases]:
    address = harness_postgres.address
    create_database(address, DATABASE)
    try:
        with closing(on_postgresql(address.url(DATABASE))) as databases:
            filled(databases)
            yield databases
    finally:
        drop_database(address, DATABASE)


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_a_handler_earns_what_its_label_says(case: Case, answers: Answers) -> None:
    found = answers.to(case)

    assert _missed(case, found) == []
    assert _invented(case, found) == []


@pytest.mark.parametrize("case", BY_ROWS, ids=_name)
def test_a_result_is_judged_by_its_rows(case: Case, postgresql: Databases) -> None:
    found = statement_findings(called(case, postgresql))

    assert _missed(case, found) == []
    assert _invented(case, found) == []


@pytest.mark.parametrize("case", [case for case in CASES if case.load_lines], ids=_name)
def test_the_line_that_loads_the_parents_is_the_one_to_edit(case: Case, answers: Answers) -> None:
    found = answers.to(case)

    assert {finding.site.line for finding in found if finding.site} == case.load_lines


def test_precision_and_recall_are_whole(
    answers: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, hits, inventions = 0, 0, 0
    for case in CASES:
        found = answers.to(case)
        labels += len(case.expected)
        hits += len(case.expected) - len(_missed(case, found))
        inventions += len(_invented(case, found))

    recall, precision = hits / labels, hits / (hits + inventions)
    with capsys.disabled():
        print(f"\ncorpus: {labels} labels, recall {recall:.0%}, precision {precision:.0%}")  # noqa: T201 - a figure for the log
    assert (recall, precision) == (1.0, 1.0)


def test_the_corpus_is_large_enough_to_say_something() -> None:
    positives = [case for case in CASES if case.expected]

    assert len(positives) >= FEWEST_OF_EACH
    assert len(CASES) - len(positives) >= FEWEST_OF_EACH


def _missed(case: Case, found: list[Finding]) -> list[Expected]:
    return [expected for expected in case.expected if not any(map(expected.matches, found))]


def _invented(case: Case, found: list[Finding]) -> list[str]:
    return [
        finding.identity
        for finding in found
        if not any(expected.matches(finding) for expected in case.expected)
    ]
