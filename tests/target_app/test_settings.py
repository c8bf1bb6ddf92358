"""The settings come from the environment and say what is wrong with it."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from target_app.settings import Settings

URL = "postgresql+asyncpg://user:hunter2@localhost/blog"
VARIABLES = (
    "TARGET_APP_DATABASE_URL",
    "TARGET_APP_ECHO",
    "SQLALCHEMY_ECHO",
    "TARGET_APP_POOL_SIZE",
    "TARGET_APP_MAX_OVERFLOW",
    "TARGET_APP_POOL_TIMEOUT",
    "TARGET_APP_FAULTS",
)


@pytest.fixture(autouse=True)
def _no_outer_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)


def test_a_missing_url_names_the_variable() -> None:
    with pytest.raises(ValidationError, match="TARGET_APP_DATABASE_URL is not set"):
        Settings()


@pytest.mark.parametrize(
    "url", ["mysql://user:hunter2@localhost/blog", "user:hunter2@localhost", "hunter2 blog"]
)
def test_a_wrong_url_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(ValidationError, match="TARGET_APP_DATABASE_URL") as refused:
        Settings(database_url=url)

    assert "hunter2" not in str(refused.value)


def test_the_representation_hides_the_url() -> None:
    assert "hunter2" not in repr(Settings(database_url=URL))


def test_defaults_are_small_and_faults_are_off() -> None:
    settings = Settings(database_url=URL)

    assert (settings.pool_size, settings.max_overflow, settings.pool_timeout) == (5, 5, 5.0)
    assert not settings.echo
    assert not settings.faults


@pytest.mark.parametrize("variable", ["SQLALCHEMY_ECHO", "TARGET_APP_ECHO"])
def test_either_variable_switches_the_echo_on(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "1")

    assert Settings(database_url=URL).echo


def test_a_dotenv_file_is_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"TARGET_APP_DATABASE_URL={URL}", "TARGET_APP_POOL_SIZE=7", "OTHER_PROGRAM=x"]
    (tmp_path / ".env").write_text("\n".join([*lines, "TARGET_APP_MAX_OVERFLOW=1"]))
    monkeypatch.setenv("TARGET_APP_MAX_OVERFLOW", "2")

    settings = Settings()

    assert (settings.database_url, settings.pool_size, settings.max_overflow) == (URL, 7, 2)
