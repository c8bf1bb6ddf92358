"""What a file of ``--plan`` may hold, and what is said of one that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import MisuseError
from harness.load.plan_file import read_plan


def test_the_routes_and_their_paths_are_read_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text('[["GET /b/{id}", "/b/7?page=2"], ["GET /a", "/a"]]', "utf-8")

    assert read_plan(file) == (("GET /b/{id}", "/b/7?page=2"), ("GET /a", "/a"))


def test_a_route_without_a_method_is_that_of_the_requests(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text('[["/a", "/a"], ["a name", "/b"]]', "utf-8")

    assert read_plan(file) == (("GET /a", "/a"), ("a name", "/b"))


def test_an_operation_that_no_plan_requests_is_refused_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text('[["GET /a", "/a"], ["POST /a", "/a"]]', "utf-8")

    with pytest.raises(MisuseError, match=r'entry 2 of .*, "POST /a", would be') as caught:
        read_plan(file)
    assert "Locust classes of your own" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no JSON", "Expecting value"),
        ("[]", "it is empty"),
        ('{"GET /a": "/a"}', "it is of type dict"),
        ('["ab", "cd"]', 'entry 1 is "ab"'),
        ('[["GET /a", "/a"], ["GET /b"]]', r'entry 2 is \["GET /b"\]'),
        ('[["GET /a", 7]]', r'entry 1 is \["GET /a", 7\]'),
        ('[["", "/a"]]', r'entry 1 is \["", "/a"\]'),
        ('[["GET /a", "a"]]', 'the path of entry 1, "a", does not begin with /'),
    ],
)
def test_what_is_no_plan_is_told_by_its_first_wrong_entry(
    tmp_path: Path, text: str, why: str
) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text, "utf-8")

    with pytest.raises(MisuseError, match=f"plan.json is no JSON list of .*: {why}"):
        read_plan(file)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="No such file"):
        read_plan(tmp_path / "plan.json")
