"""Which driver the application has, by what its configuration says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from sqlalchemy import make_url

from harness.asgi.driver import application_url, awaited_url, is_awaited_driver

URL = make_url("postgresql+asyncpg://me@localhost:5433/shop")


async def awaited() -> AsyncIterator[None]:
    yield


def blocking() -> Iterator[None]:
    yield


class Awaited:
    async def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("template", "dependency", "driver"),
    [
        pytest.param("{async_url}", None, "postgresql+asyncpg", id="asyncpg"),
        pytest.param("{async_url}", blocking, "postgresql+asyncpg", id="by name, not by kind"),
        pytest.param("{sync_url}", None, "postgresql+psycopg", id="psycopg"),
        pytest.param("{sync_url}", blocking, "postgresql+psycopg", id="psycopg, blocking"),
        pytest.param("{sync_url}", awaited, "postgresql+psycopg_async", id="psycopg, awaited"),
        pytest.param("{sync_url}", Awaited(), "postgresql+psycopg_async", id="an awaited object"),
        pytest.param(
            "postgresql+psycopg2://{user}@{host}/{database}",
            blocking,
            "postgresql+psycopg2",
            id="psycopg2",
        ),
        pytest.param("{url}", awaited, "postgresql+asyncpg", id="unknown, awaited"),
        pytest.param("{url}", None, "postgresql+asyncpg", id="unknown"),
        pytest.param("{host}", None, "postgresql+asyncpg", id="in parts"),
    ],
)
def test_the_drivers_name(
    template: str, dependency: Callable[..., object] | None, driver: str
) -> None:
    url = application_url(URL, {"SHOP_URL": template}, session_dependency=dependency)

    assert url.drivername == driver
    assert url.database == "shop"


def test_a_plain_url_of_a_blocking_application_has_sqlalchemys_default() -> None:
    url = application_url(URL, {"SHOP_URL": "{url}"}, session_dependency=blocking)

    assert url.drivername in {"postgresql+psycopg", "postgresql+psycopg2"}


def test_of_several_drivers_asyncpg_is_preferred() -> None:
    env = {"A": "{sync_url}", "B": "{async_url}"}

    assert application_url(URL, env).drivername == "postgresql+asyncpg"


@pytest.mark.parametrize(
    ("template", "driver"),
    [
        ("{async_url}", "sqlite+aiosqlite"),
        ("sqlite+aiosqlite:///file:{database}?uri=true", "sqlite+aiosqlite"),
        ("{sync_url}", "sqlite"),
        ("{url}", "sqlite"),
    ],
)
def test_a_file_is_opened_as_the_application_does(template: str, driver: str) -> None:
    url = application_url(make_url("sqlite+aiosqlite:///shop.db"), {"SHOP_URL": template})

    assert url.drivername == driver


@pytest.mark.parametrize(
    ("name", "is_awaited"),
    [("asyncpg", True), ("psycopg_async", True), ("psycopg", False), ("psycopg2", False)],
)
def test_awaited_drivers_are_known(name: str, *, is_awaited: bool) -> None:
    assert is_awaited_driver(URL.set(drivername=f"postgresql+{name}")) is is_awaited


@pytest.mark.parametrize(
    ("template", "dependency", "driver"),
    [
        pytest.param("{async_url}", None, "postgresql+asyncpg", id="asyncpg"),
        pytest.param("{sync_url}", awaited, "postgresql+psycopg_async", id="psycopg, awaited"),
        pytest.param("{sync_url}", None, "postgresql+psycopg_async", id="psycopg, unknown"),
        pytest.param("{sync_url}", blocking, None, id="psycopg, blocking"),
        pytest.param("postgresql+psycopg2://{host}", None, None, id="psycopg2"),
        pytest.param("{url}", blocking, None, id="the default, blocking"),
    ],
)
def test_the_driver_of_a_session_that_is_awaited(
    template: str, dependency: Callable[..., object] | None, driver: str | None
) -> None:
    url = awaited_url(URL, {"SHOP_URL": template}, session_dependency=dependency)

    assert (url.drivername if url is not None else None) == driver
