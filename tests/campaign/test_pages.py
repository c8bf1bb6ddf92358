"""Which requests hold more and more items, as an OpenAPI document tells."""

from __future__ import annotations

from typing import Any

import pytest

from harness.campaign.pages import paged_plan, paged_plan_behind
from tests.load.conftest import CountingServer


def document(*parameters: dict[str, Any]) -> dict[str, Any]:
    return {"paths": {"/posts": {"get": {"parameters": list(parameters)}}}}


def size(name: str = "limit", **bounds: int) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "integer", **bounds}}


PLAN = (("GET /posts", "/posts"), ("GET /tags", "/tags"))


def test_a_page_of_a_size_is_asked_for_where_there_are_pages() -> None:
    paged = paged_plan(PLAN, document(size()))

    assert paged.of_size(5) == (("GET /posts", "/posts?limit=5"), ("GET /tags", "/tags"))
    assert paged.paged == 1


@pytest.mark.parametrize("name", ["limit", "size", "page_size", "per_page", "first"])
def test_parameters_that_limit_a_page_are_known_by_name(name: str) -> None:
    paged = paged_plan(PLAN[:1], document(size(name)))

    assert paged.of_size(2) == (("GET /posts", f"/posts?{name}=2"),)


def test_the_bounds_of_a_page_are_kept() -> None:
    paged = paged_plan(PLAN[:1], document(size(minimum=3, maximum=8)))

    assert [paged.of_size(number)[0][1] for number in (2, 10)] == [
        "/posts?limit=3",
        "/posts?limit=8",
    ]


def test_the_rest_of_a_planned_path_stays() -> None:
    plan = (("GET /posts", "/posts?tag=new&limit=50"),)

    assert paged_plan(plan, document(size())).of_size(5)[0][1] == "/posts?tag=new&limit=5"


def test_of_several_sizes_the_first_is_meant() -> None:
    paged = paged_plan(PLAN[:1], document(size("limit"), size("count")))

    assert paged.of_size(5)[0][1] == "/posts?limit=5"


def test_an_application_that_tells_nothing_is_requested_as_it_is(server: CountingServer) -> None:
    server.openapi = "not a document"

    paged = paged_plan_behind(server.url, PLAN)

    assert (paged.of_size(5), paged.paged) == (PLAN, 0)
