"""How many items an answer holds."""

from __future__ import annotations

import json

import pytest

from harness.scan.items import items_in

JSON = "application/json"


@pytest.mark.parametrize(
    ("content", "items"),
    [
        ([1, 2, 3], 3),
        ([], 0),
        ({"items": [1, 2], "total": 9}, 2),
        ({"data": {"rows": [1]}, "meta": {"page": 1}}, 1),
        ({"id": 1, "name": "Ada"}, None),
        ({"posts": [1], "tags": [1, 2]}, None),
        ({"items": [{"tags": [1, 2, 3]}]}, 1),
        ("text", None),
        (None, None),
    ],
    ids=str,
)
def test_items_are_those_of_the_list_or_of_the_one_list_in_a_page(
    content: object, items: int | None
) -> None:
    assert items_in(json.dumps(content).encode(), JSON) == items


def test_an_export_has_its_lines() -> None:
    assert items_in(b"id,name\n1,Ada\n2,Bob\n", "text/csv; charset=utf-8") == 3


def test_what_is_no_json_has_no_items() -> None:
    assert items_in(b"[1, 2]", "text/html") is None
    assert items_in(b"[1, 2", JSON) is None


def test_json_of_a_kind_of_its_own_is_json() -> None:
    assert items_in(b"[1, 2]", "application/vnd.shop+json") == 2
