"""What streams, as far as an OpenAPI document tells."""

from __future__ import annotations

from typing import Any

import pytest

from harness.load.streams import answers_json, streams_of


def _document(*types: str, path: str = "/export") -> dict[str, Any]:
    content: dict[str, Any] = {kind: {} for kind in types}
    responses = {"200": {"content": content}, "422": {"content": {"application/json": {}}}}
    return {"paths": {path: {"get": {"responses": responses}}}}


@pytest.mark.parametrize(
    "types",
    [(), ("application/x-ndjson",), ("text/event-stream",), ("application/json", "text/csv")],
    ids=["nothing said", "lines", "events", "one of two"],
)
def test_what_is_not_json_may_stream(types: tuple[str, ...]) -> None:
    assert streams_of(_document(*types)) == (("GET /export", "/export"),)


@pytest.mark.parametrize("kind", ["application/json", "application/problem+json", "text/html"])
def test_what_is_answered_whole_does_not(kind: str) -> None:
    assert streams_of(_document(kind)) == ()


def test_a_stream_that_needs_a_value_is_for_its_author_to_plan() -> None:
    assert streams_of(_document(path="/exports/{export_id}")) == ()


def test_a_route_that_the_document_does_not_know_may_stream() -> None:
    assert not answers_json("GET /hidden", _document("application/json"))
