"""The settings come from the environment and say what is wrong with it."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy.engine import make_url

from target_app.settings import Settings, explain, get_settings, without_secrets

URL = "postgresql+asyncpg://user:hunter2@localhost/blog"

# Every field: how a variable writes it, what the program gets; another value than the default.
GIVEN: Mapping[str, tuple[str, object]] = {
    "database_url": (URL, URL),
    "environment": ("production", "production"),
    "debug": ("true", True),
    "echo": ("1", True),
    "pool_size": ("7", 7),
    "max_overflow": ("0", 0),
    "pool_timeout": ("0.5", 0.5),
    "pool_pre_ping": ("false", False),
    "statement_timeout": ("2.5", 2.5),
    "idle_in_transaction_timeout": ("12", 12.0),
    "unit_of_work": ("middleware", "middleware"),
    "faults": ("yes", True),
    "load_faults": ("on", True),
}
REFUSED = {
    "environment": "staging",
    "debug": "perhaps",
    "echo": "",
    "pool_size": "0",
    "max_overflow": "-1",
    "pool_timeout": "0",
    "pool_pre_ping": "2",
    "statement_timeout": "-1",
    "idle_in_transaction_timeout": "0",
    "unit_of_work": "none",
    "faults": "x",
    "load_faults": "x",
}


@pytest.fixture(autouse=True)
def _no_outer_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in list(os.environ):
        if variable.startswith("TARGET_APP_"):
            monkeypatch.delenv(variable)
    for variable in ("DATABASE_URL", "DEBUG", "SQLALCHEMY_ECHO"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)


def _refusal(**fields: object) -> str:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate(fields)
    return explain(refused.value)


def test_a_missing_url_names_the_variable() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings()

    assert explain(refused.value).startswith("TARGET_APP_DATABASE_URL is not set; set it to")


def test_every_field_is_tested_here() -> None:
    assert set(GIVEN) == set(Settings.model_fields)
    assert set(REFUSED) == set(Settings.model_fields) - {"database_url"}


@pytest.mark.parametrize("field", GIVEN)
def test_every_field_is_read_from_its_variable(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written, expected = GIVEN[field]
    monkeypatch.setenv("TARGET_APP_DATABASE_URL", "postgresql+asyncpg://localhost/other")
    by_default = getattr(Settings(), field)
    monkeypatch.setenv(f"TARGET_APP_{field.upper()}", written)

    settings = Settings()

    assert getattr(settings, field) == expected
    assert by_default != expected


@pytest.mark.parametrize("field", REFUSED)
def test_a_value_out_of_bounds_names_its_variable(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = f"TARGET_APP_{field.upper()}"
    monkeypatch.setenv("TARGET_APP_DATABASE_URL", URL)
    monkeypatch.setenv(variable, REFUSED[field])

    with pytest.raises(ValidationError) as refused:
        Settings()

    assert explain(refused.value).startswith(f"{variable}: Input should be")
    assert "\n" not in explain(refused.value)


@pytest.mark.parametrize(
    ("field", "usual_name"),
    [("database_url", "DATABASE_URL"), ("debug", "DEBUG"), ("echo", "SQLALCHEMY_ECHO")],
)
def test_a_usual_name_works_and_the_prefixed_one_wins(
    field: str, usual_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, expected = GIVEN[field]
    monkeypatch.setenv("TARGET_APP_DATABASE_URL", "sqlite+aiosqlite:///other.db")
    prefixed = f"TARGET_APP_{field.upper()}"
    monkeypatch.delenv(prefixed, raising=False)
    monkeypatch.setenv(usual_name, written)
    if field != "database_url":
        assert getattr(Settings(), field) == expected
    else:
        assert Settings().database_url == expected

    loser = "sqlite+aiosqlite:///loser.db" if field == "database_url" else "false"
    monkeypatch.setenv(prefixed, written)
    monkeypatch.setenv(usual_name, loser)

    assert getattr(Settings(), field) == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql+aiomysql://user:hunter2@localhost/blog", "names 'mysql+aiomysql'"),
        ("oracle://user:hunter2@localhost/blog", "names 'oracle'"),
        ("postgresql://user:hunter2@localhost/blog", "names 'postgresql'"),
        ("postgresql+psycopg://user:hunter2@localhost/blog", "names 'postgresql+psycopg'"),
        ("sqlite:///shop.db", "names 'sqlite'"),
        ("user:hunter2@localhost", "is not a URL"),
        ("hunter2 blog", "is not a URL"),
        ("postgresql+asyncpg://localhost:hunter2/blog", "is not a URL"),
        ("sqlite+aiosqlite://", "names a database in memory"),
        ("sqlite+aiosqlite:///:memory:", "names a database in memory"),
        ("sqlite+aiosqlite:///file::memory:?uri=true&cache=shared", "names a database in memory"),
        (
            "sqlite+aiosqlite:///file:shop?mode=memory&cache=shared&uri=true",
            "names a database in memory",
        ),
    ],
)
def test_a_database_that_cannot_work_is_refused_without_showing_its_password(
    url: str, reason: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(database_url=url)

    assert explain(refused.value).startswith(f"TARGET_APP_DATABASE_URL (or DATABASE_URL) {reason}")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("field", ["faults", "load_faults"])
def test_faults_are_refused_in_production(field: str) -> None:
    refusal = _refusal(database_url=URL, environment="production", **{field: True})

    variable = f"TARGET_APP_{field.upper()}"
    assert refusal == f"{variable} cannot be on in production; unset one of the two"


def test_load_faults_are_refused_on_sqlite() -> None:
    refusal = _refusal(database_url="sqlite+aiosqlite:///shop.db", load_faults=True)

    assert refusal.startswith("TARGET_APP_LOAD_FAULTS needs PostgreSQL")
    assert refusal.endswith("names 'sqlite+aiosqlite'")


def test_every_problem_has_its_own_line() -> None:
    refusal = _refusal(database_url="", pool_size=0, environment="staging")

    assert len(refusal.splitlines()) == 3


def test_the_representation_hides_the_url() -> None:
    assert "hunter2" not in repr(Settings(database_url=URL))


@pytest.mark.parametrize(
    "url", [URL, "postgresql+asyncpg://localhost/blog?user=user&password=hunter2"]
)
def test_a_url_in_a_message_has_no_password(url: str) -> None:
    shown = without_secrets(make_url(url))

    assert "hunter2" not in shown
    assert "localhost/blog" in shown


def test_the_settings_cannot_be_changed() -> None:
    settings = Settings(database_url=URL)

    with pytest.raises(ValidationError, match="frozen"):
        settings.pool_size = 1


def test_a_dotenv_file_is_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"TARGET_APP_DATABASE_URL={URL}", "TARGET_APP_POOL_SIZE=7", "OTHER_PROGRAM=x"]
    (tmp_path / ".env").write_text("\n".join([*lines, "TARGET_APP_MAX_OVERFLOW=1"]))
    monkeypatch.setenv("TARGET_APP_MAX_OVERFLOW", "2")

    settings = Settings()

    assert (settings.database_url, settings.pool_size, settings.max_overflow) == (URL, 7, 2)


def test_the_settings_of_the_process_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGET_APP_DATABASE_URL", URL)
    get_settings.cache_clear()
    first = get_settings()
    monkeypatch.setenv("TARGET_APP_POOL_SIZE", "7")

    second = get_settings()
    get_settings.cache_clear()
    third = get_settings()
    get_settings.cache_clear()

    assert second is first
    assert third.pool_size == 7


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (URL, "postgresql+psycopg://user:hunter2@localhost/blog"),
        (f"{URL}?ssl=require", "postgresql+psycopg://user:hunter2@localhost/blog?sslmode=require"),
        (
            f"{URL}?timeout=3&command_timeout=9&prepared_statement_cache_size=0",
            "postgresql+psycopg://user:hunter2@localhost/blog?connect_timeout=3",
        ),
        (
            "postgresql+asyncpg:///blog?host=/run/postgresql&port=5433",
            "postgresql+psycopg:///blog?host=/run/postgresql&port=5433",
        ),
        (
            "postgresql+asyncpg://localhost/blog?plugin=harness",
            "postgresql+psycopg://localhost/blog?plugin=harness",
        ),
        ("sqlite+aiosqlite:///shop.db?timeout=3", "sqlite:///shop.db?timeout=3"),
        ("sqlite+aiosqlite:////data/shop.db", "sqlite:////data/shop.db"),
    ],
)
def test_the_sync_engine_gets_the_same_database_in_its_drivers_words(
    url: str, expected: str
) -> None:
    assert Settings(database_url=url).sync_url == make_url(expected)
