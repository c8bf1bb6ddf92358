"""A page as a browser would see it, for tests to look at.

A module of its own because the pages of a checkup and of a load run are held to the same rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Page(HTMLParser):
    """What a browser would see: elements, attributes, ids, and addresses that it might fetch."""

    tags: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.append(name)
            if name == "id" and value:
                self.ids.append(value)
            if name.split(":")[-1] in {"src", "href", "srcset", "action", "data"}:
                self.addresses.append(value or "")


def parsed(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    return page
