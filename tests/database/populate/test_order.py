"""Parents come first; a circle is opened where a row may do without its parent."""

from __future__ import annotations

from harness.database.populate.order import Link, filling_order


def key(name: str) -> tuple[str, str]:
    return "public", name


def link(parent: str, *, is_nullable: bool = False) -> Link:
    return Link((f"{parent}_id",), key(parent), ("id",), is_nullable)


def order(**links: list[Link]) -> list[str]:
    return [name for _, name in filling_order({key(name): each for name, each in links.items()})]


def test_a_parent_comes_before_its_children() -> None:
    assert order(a=[link("b")], b=[link("c")], c=[]) == ["c", "b", "a"]


def test_a_parent_that_is_optional_comes_first_too() -> None:
    assert order(a=[link("b", is_nullable=True)], b=[]) == ["b", "a"]


def test_a_circle_begins_with_the_table_that_may_do_without() -> None:
    circle = order(user=[link("team")], team=[link("user", is_nullable=True)])

    assert circle == ["team", "user"]


def test_a_table_that_refers_to_itself_waits_for_nobody() -> None:
    assert order(node=[link("node")]) == ["node"]


def test_a_circle_that_has_no_opening_still_comes_to_an_end() -> None:
    assert sorted(order(a=[link("b")], b=[link("a")])) == ["a", "b"]


def test_a_parent_outside_of_the_tables_does_not_count() -> None:
    assert order(a=[link("elsewhere")]) == ["a"]
