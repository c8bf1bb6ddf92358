"""What is not exactly a lock is refused, with the line, the place and what to do."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import LockError
from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount
from harness.lock.places import line_of
from harness.lock.reading import from_text
from harness.lock.written import to_text
from tests.lock.strategies import CASES, locks

TEXT = """{
  "schema": 1,
  "dialects": {
    "postgresql": {
      "GET /users": {
        "statements": 3,
        "round_trips": 3,
        "shapes": {
          "3f2a": {"most": 2, "grows": true, "sql": "SELECT a: {"},
          "77aa": {"most": 1, "grows": false, "sql": "SELECT b"}
        }
      },
      "GET /posts": {
        "statements": 1,
        "round_trips": 1,
        "shapes": {
          "3f2a": {"most": 1, "grows": false, "sql": "SELECT a"}
        }
      }
    }
  }
}
"""
_GROUND = "dialects > postgresql > GET /users"
_SHAPE = f"{_GROUND} > shapes > 3f2a"


def refused(text: str) -> LockError:
    with pytest.raises(LockError) as caught:
        from_text(text, where="query-lock.json")
    return caught.value


@pytest.mark.parametrize(
    ("old", "new", "what", "where"),
    [
        ('"most": 2', '"most": 0', "0 is no whole number from 1 on", f"9: {_SHAPE} > most"),
        ('"most": 2', '"most": -2', "-2 is no whole number from 1 on", f"9: {_SHAPE} > most"),
        ('"most": 2', '"most": true', "true is no whole number from 1", f"9: {_SHAPE} > most"),
        ('"most": 2', '"most": 2.0', "2.0 is no whole number from 1", f"9: {_SHAPE} > most"),
        ('"most": 2', '"most": NaN', "NaN is no whole number from 1", f"9: {_SHAPE} > most"),
        ('"most": 2', '"most": [2]', "a list is no whole number", f"9: {_SHAPE} > most"),
        ('"most": 2, ', "", '"most" is missing', f"9: {_SHAPE}"),
        ('"grows": true', '"grows": 1', "1 is neither true nor", f"9: {_SHAPE} > grows"),
        ('"SELECT a: {"', "null", "null is no text", f"9: {_SHAPE} > sql"),
        ('"SELECT a: {"', r'"\ud800"', "half of a character", f"9: {_SHAPE} > sql"),
        ('"77aa"', r'"\ud800"', "half of a character", f"8: {_GROUND} > shapes"),
        ('"77aa"', '""', "a name is empty", f"8: {_GROUND} > shapes"),
        ('"77aa"', '"3f2a"', '"3f2a" stands there twice', f"10: {_SHAPE}"),
        ('"GET /posts"', '"GET /users"', '"GET /users" stands there twice', f"13: {_GROUND}"),
        (
            '"statements": 3',
            '"statements": 1',
            "1 statements, of which one alone runs 2 times",
            f"6: {_GROUND} > statements",
        ),
        ('"statements": 3', '"statements": -3', "-3 is no whole", f"6: {_GROUND} > statements"),
        ('"round_trips": 3', '"round_trips": ""', '"" is no', f"7: {_GROUND} > round_trips"),
        ('"round_trips": 3', '"trips": 3', '"round_trips" is missing', f"5: {_GROUND}"),
        (
            '"round_trips": 3',
            '"round_trips": 3, "tests": 3',
            '"tests" is unknown',
            f"7: {_GROUND} > tests",
        ),
        ('"schema": 1', '"schema": 1, "findings": []', '"findings" is unknown', "2: findings"),
        ('"schema": 1', '"schema": 0', "0 is no whole number from 1 on", "2: schema"),
        ('"schema": 1', '"schema": true', "true is no whole number", "2: schema"),
        ('"dialects"', '"dialect"', '"dialects" is missing', ""),
        ('"most": 1, "grows": false, "sql": "SELECT b"', "", '"most" is missing', "10: "),
        ('"3f2a": {"most": 2', '"3f2a": ["most", 2', "column 38", "9"),
        ('"schema": 1,', '"schema": 1', "column 3", "3"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, what: str, where: str) -> None:
    error = refused(TEXT.replace(old, new, 1))

    assert what in error.what
    assert error.where.startswith(f"query-lock.json:{where}" if where else "query-lock.json")
    assert "pytest --query-lock=update" in error.remedy


@pytest.mark.parametrize("text", ["null", "[]", "1", '"schema"', "{}", '{"dialects": {}}'])
def test_json_that_is_no_lock_is_refused(text: str) -> None:
    assert refused(text).slug == "query-lock"


@pytest.mark.parametrize(
    ("dialects", "what"),
    [
        ("null", "null stands where an object is expected"),
        ("[]", "a list stands where an object is expected"),
        ('{"postgresql": 1}', "1 stands where an object is expected"),
        ('{"postgresql": {"GET /": []}}', "a list stands where an object is expected"),
    ],
)
def test_anything_in_place_of_an_object_is_refused(dialects: str, what: str) -> None:
    assert what in refused(f'{{"schema": 1, "dialects": {dialects}}}').what


def test_a_newer_schema_is_made_by_a_newer_version() -> None:
    error = refused(TEXT.replace('"schema": 1', '"schema": 12'))

    assert "made by a newer version: its schema is 12, and this version reads 1" in error.what
    assert error.where == "query-lock.json:2"


def test_of_a_newer_schema_nothing_else_is_judged() -> None:
    assert "made by a newer version" in refused('{"endpoints": [], "schema": 2}').what


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, f'{{"schema": {"9" * 5_000}}}', "\ufeff{}", "\x00"]
)
def test_what_no_parser_gets_through_is_refused(text: str) -> None:
    assert "cannot be read" in refused(text).what


def test_a_complaint_about_half_of_a_character_can_be_printed() -> None:
    error = refused(r'{"\ud800": 1, "\ud800": 2}')

    assert error.where == r"query-lock.json:1: \ud800"
    assert str(error).encode()


@pytest.mark.parametrize("marker", ["<<<<<<< HEAD", "=======", ">>>>>>> branch", "||||||| base"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_conflict_markers_are_told_with_the_line_and_the_way_out(marker: str, end: str) -> None:
    lines = TEXT.splitlines()
    text = end.join([*lines[:8], marker, *lines[8:]])

    error = refused(text)

    assert "conflict markers" in error.what
    assert error.where == "query-lock.json:9"
    assert "harness lock merge OURS THEIRS -o query-lock.json" in error.remedy
    assert "pytest --query-lock=update" in error.remedy
    assert len(str(error).splitlines()) < 10


def test_markers_inside_of_a_text_are_no_conflict() -> None:
    sql = "<<<<<<< \n======= \n>>>>>>>"
    shape = ShapeCount(sql, 1, grows=False)
    lock = QueryLock({"sqlite": {"GET /": EndpointCounts(1, 1, {"a": shape})}})

    assert from_text(to_text(lock), where="query-lock.json") == lock


@pytest.mark.parametrize("is_absolute", [True, False])
def test_the_way_out_of_a_conflict_leads_to_both_branches(
    tmp_path: Path, *, is_absolute: bool
) -> None:
    def git(*arguments: str, code: int = 0) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
        done = subprocess.run(
            ["git", *identity, *arguments],  # noqa: S607 - found in PATH, as in a shell
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        assert done.returncode == code, done.stderr + done.stdout

    def commit(statements: int) -> None:
        lock = QueryLock({"sqlite": {"GET /": EndpointCounts(statements, statements)}})
        file.write_text(to_text(lock), encoding="ascii")
        git("add", "-A")
        git("commit", "-m", str(statements))

    (tmp_path / "shop").mkdir()
    file = tmp_path / "shop" / "query-lock.json"
    git("init")
    commit(1)
    git("switch", "-c", "other")
    commit(2)
    git("switch", "main")
    commit(3)
    git("merge", "other", code=1)

    where = file if is_absolute else file.relative_to(tmp_path)
    with pytest.raises(LockError) as caught:
        from_text(file.read_text(encoding="ascii"), where=str(where))
    commands = [line for line in caught.value.remedy.splitlines() if "git" in line]
    subprocess.run(["/bin/sh", "-ec", "\n".join(commands)], cwd=tmp_path, check=True)

    sides = [json.loads((tmp_path / side).read_text()) for side in ("OURS", "THEIRS")]
    assert [side["dialects"]["sqlite"]["GET /"]["statements"] for side in sides] == [3, 2]


@CASES
@given(locks())
def test_every_key_is_found_on_its_line(lock: QueryLock) -> None:
    text = to_text(lock)
    lines = text.split("\n")

    for dialect, endpoints in lock.dialects.items():
        for endpoint in endpoints:
            line = line_of(text, ("dialects", dialect, endpoint))
            assert line is not None
            assert lines[line - 1] == f"      {json.dumps(endpoint)}: {{"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dialects", "postgresql", "shapes", "most", "sql", ""]), inner
        )
    ),
    max_leaves=8,
)


@CASES
@given(_JSON)
def test_any_other_json_is_refused(value: Any) -> None:  # noqa: ANN401 - any JSON
    for text in (
        json.dumps(value),
        json.dumps({"schema": 1, "dialects": {"sqlite": {"a": value}}}),
    ):
        with pytest.raises(LockError):
            from_text(text, where="query-lock.json")
