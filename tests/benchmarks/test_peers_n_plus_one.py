"""The comparison with peers: what counts as found, invented and named, and that it runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.n_plus_one.cases import Family, all_cases, family_of, path_of, some_cases
from benchmarks.n_plus_one.report import Outcome, lines_of
from benchmarks.n_plus_one.tools import Tool
from benchmarks.n_plus_one.verdicts import Share, Verdict, score_of, verdicts_of
from benchmarks.pytest_process import Failed, PytestRun
from harness.errors import ExitCode
from tests.checks.corpus.clean_loading import selectin
from tests.checks.corpus.found_relationships import many_to_many_in_a_loop, two_levels
from tests.checks.corpus.found_repeats import a_delete_for_each, get_in_a_loop
from tests.checks.corpus.labels import Case

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, str(ROOT / "benchmarks" / "peers_n_plus_one.py")]
COLUMNS = 80
PATIENCE_SECONDS = 300
BY_HANDLER = {case.handler: case for case in all_cases()}
LOOP, LEVELS = BY_HANDLER[many_to_many_in_a_loop], BY_HANDLER[two_levels]
GET, DELETE, CLEAN = (BY_HANDLER[it] for it in (get_in_a_loop, a_delete_for_each, selectin))
READS = Tool("reads", PytestRun("corpus_tests.py"), frozenset({Family.RELATIONSHIPS}), "by hand")

OBJECTS = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    result = yield
    if "clean" not in item.name and "selectin" not in item.name:
        raise AssertionError(f"I do not like {item.name}")
    return result
"""
BREAKS = """
def pytest_runtest_call(item):
    raise RuntimeError("a tool that breaks the test")
"""


def load_line(case: Case) -> str:
    (line,) = case.load_lines
    return f"/somewhere/{Path(case.handler.__code__.co_filename).name}:{line}"


def next_line(case: Case) -> str:
    file, _, line = load_line(case).rpartition(":")
    return f"{file}:{int(line) + 1}"


def by_plugin(folder: Path, source: str) -> Tool:
    """A tool made up for a test."""
    (folder / "made_up_tool.py").write_text(source, encoding="utf-8")
    modules = ("benchmarks.approaches.corpus", "made_up_tool")
    run = PytestRun("corpus_tests.py", modules=modules, extra_paths=(folder,))
    return Tool("made up", run, frozenset({Family.RELATIONSHIPS}), "for a test")


def test_the_clean_handlers_are_those_that_earn_nothing() -> None:
    clean = {case.name for case in all_cases() if family_of(case) is Family.CLEAN}

    assert clean == {case.name for case in all_cases() if not case.expected}


def test_a_few_cases_are_of_every_family() -> None:
    assert {family_of(case) for case in some_cases()} == set(Family)


def test_a_relationship_is_named_by_its_class_and_attribute() -> None:
    assert Verdict(LOOP, "10 queries for Book.genres (lazy load)").names_relationships
    assert Verdict(LOOP, "at Author.books.Book.genres").names_relationships
    assert not Verdict(LOOP, "SELECT books.id, genres.id; Book.genresque").names_relationships


def test_all_relationships_of_a_handler_have_to_be_named() -> None:
    assert Verdict(LEVELS, "Author.books 5 times, Book.reviews 10 times").names_relationships
    assert not Verdict(LEVELS, "Author.books 5 times").names_relationships


def test_only_the_marked_line_is_the_one_to_edit() -> None:
    assert Verdict(LOOP, f"edit {load_line(LOOP)}, see {next_line(LOOP)}").names_load_lines
    assert not Verdict(LOOP, f"first at {next_line(LOOP)}").names_load_lines


def test_lines_of_libraries_and_tests_are_not_the_applications() -> None:
    elsewhere = Verdict(LOOP, "from pydantic/type_adapter.py:410, corpus_tests.py:33")

    assert not elsewhere.lines
    assert Verdict(LOOP, f"first at {next_line(LOOP)}").lines


def test_a_route_is_named_by_its_path_and_not_by_the_tests_name() -> None:
    assert Verdict(LOOP, f"Book.genres @ GET {path_of(LOOP)}").names_endpoint
    assert not Verdict(LOOP, f"test_a_request[{LOOP.name}] in {LOOP.name}").names_endpoint


def test_a_score_counts_what_is_found_missed_and_invented() -> None:
    verdicts = [
        Verdict(LOOP, "Book.genres"),
        Verdict(GET, None),
        Verdict(DELETE, None),
        Verdict(CLEAN, "a query"),
    ]

    score = score_of(READS, verdicts)

    assert score.recall == Share(1, 3)
    assert score.claimed_recall == Share(1, 1)
    assert score.precision == Share(1, 2)
    assert score.found[Family.CLEAN] == Share(1, 1)
    assert (score.relationship, score.line, score.load_line) == (
        Share(1, 1),
        Share(0, 1),
        Share(0, 1),
    )


def test_a_family_that_a_tool_does_not_claim_stands_in_brackets() -> None:
    verdicts = [Verdict(case, None) for case in some_cases()]

    lines = list(lines_of([Outcome(READS, verdicts)]))

    (row,) = (line for line in lines if line.startswith("  reads") and "(" in line)
    assert row.split() == ["reads", "0/2", "(0/2)", "(0/2)", "(0/2)", "(0/2)"]


def test_a_tool_speaks_by_failing_a_test_that_was_answered(tmp_path: Path) -> None:
    verdicts = verdicts_of(by_plugin(tmp_path, OBJECTS), [GET, CLEAN])

    assert verdicts == [
        Verdict(GET, f"I do not like test_a_request[{GET.name}]"),
        Verdict(CLEAN, None),
    ]


def test_a_test_that_breaks_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="a tool that breaks the test"):
        verdicts_of(by_plugin(tmp_path, BREAKS), [GET, CLEAN])


def test_the_harness_finds_all_and_invents_nothing_in_its_own_plugin(tmp_path: Path) -> None:
    file = tmp_path / "everything.json"

    done = subprocess.run(
        [*PROGRAM, "--quick", "--no-peers", f"--json={file}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert done.returncode == ExitCode.CLEAN, done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= COLUMNS
    written = json.loads(file.read_text(encoding="utf-8"))
    ours = written["tools"]["harness"]
    assert (ours["recall"], ours["precision"]) == (1.0, 1.0)
    assert all(ours[name]["count"] == ours[name]["of"] > 0 for name in ours if "names_" in name)
    assert written["cases"].keys() == {case.name for case in some_cases()}


def test_ctrl_c_leaves_no_file_behind(
    tmp_path: Path, unmeasured_environment: Mapping[str, str]
) -> None:
    with subprocess.Popen(
        [*PROGRAM, "--no-peers"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**unmeasured_environment, "TMPDIR": str(tmp_path)},
    ) as process:
        while not list(tmp_path.rglob("template.db")):  # until the first test asks for it
            assert process.poll() is None

        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == ExitCode.INTERRUPTED
    assert errors.endswith("\ninterrupted; everything that was started is stopped\n")
    assert list(tmp_path.iterdir()) == []
