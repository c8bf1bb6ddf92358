"""What an application finds for its database's address before there is one, and where it leads."""

from __future__ import annotations

import pytest
from sqlalchemy import URL, make_url

from harness.asgi.app import environment_for
from harness.asgi.environment import filled
from harness.database.stand_in import NAME, POSTGRES, is_stand_in, led, on_sqlite

REAL = URL.create("postgresql", "me", "secret", host="db", port=1, database="harness_1")
ON_FILE = URL.create("sqlite", database="/tmp/harness.db")  # noqa: S108 - never opened

DRIVERS = ["asyncpg", "psycopg", "psycopg2", "psycopg_async"]


def connect_arguments(text: str) -> tuple[list[object], dict[str, object]]:
    """What SQLAlchemy hands to the driver of a URL."""
    url = make_url(text)
    arguments, options = url.get_dialect()().create_connect_args(url)
    return list(arguments), dict(options)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    "written",
    [
        "{user}:{password}@{host}:{port}/{database}",
        "mine@localhost:{port}/{database}",
        "{user}:mine@{host}/{database}?application_name=shop",
    ],
)
def test_a_drivers_options_are_those_of_the_url_that_the_stage_would_have_given(
    driver: str, written: str
) -> None:
    template = {"URL": f"postgresql+{driver}://{written}"}
    arguments, options = connect_arguments(filled(template, POSTGRES)["URL"])

    found = led(arguments, options, REAL)

    assert is_stand_in(arguments, options)
    assert found == connect_arguments(environment_for(template, REAL)["URL"])


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_server_that_asks_for_no_password_gets_none(driver: str) -> None:
    template = {"URL": f"postgresql+{driver}://{{user}}:{{password}}@{{host}}/{{database}}"}
    arguments, options = connect_arguments(filled(template, POSTGRES)["URL"])

    _, found = led(arguments, options, REAL._replace(password=None))

    assert "password" not in found


@pytest.mark.parametrize("driver", ["aiosqlite", "pysqlite"])
@pytest.mark.parametrize("written", ["{database}", "file:{database}?mode=rwc&uri=true"])
def test_a_file_of_sqlite_is_led_to_the_real_one(driver: str, written: str) -> None:
    template = {"URL": f"sqlite+{driver}:///{written}"}
    arguments, options = connect_arguments(filled(template, on_sqlite())["URL"])

    found, _ = led(arguments, options, ON_FILE)

    assert is_stand_in(arguments, options)
    assert found == connect_arguments(environment_for(template, ON_FILE)["URL"])[0]


@pytest.mark.parametrize(
    "text",
    [
        "postgresql+asyncpg://localhost/shop_test",
        "postgresql+psycopg2://localhost/test",
        "sqlite://",
        "sqlite:////tmp/shop.db",
    ],
)
def test_other_databases_are_left_alone(text: str) -> None:
    arguments, options = connect_arguments(text)

    assert not is_stand_in(arguments, options)


def test_its_name_is_one_of_a_test_database() -> None:
    assert NAME.startswith("test_")
    assert NAME.endswith("_test")
    assert make_url(POSTGRES["url"]).database == NAME


def test_all_its_placeholders_are_those_of_a_real_database() -> None:
    template = {word: f"{{{word}}}" for word in POSTGRES}

    assert environment_for(template, REAL).keys() == POSTGRES.keys() == on_sqlite().keys()
