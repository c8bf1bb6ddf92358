"""Where a setting comes from, which source wins, and what a wrong one is answered with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.config import load_project
from harness.errors import ConfigurationError
from harness.findings import Allowance


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("HARNESS_")]:
        monkeypatch.delenv(name)


def write(folder: Path, *lines: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text("\n".join(lines))
    return folder


def refused(folder: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load_project(folder)
    return caught.value


def test_without_a_file_everything_is_default(tmp_path: Path) -> None:
    project = load_project(tmp_path)

    assert project.root == tmp_path
    assert project.configuration.postgres == "auto"
    assert set(project.sources.values()) == {"default"}


def test_the_file_is_read(tmp_path: Path) -> None:
    write(tmp_path, "[tool.harness]", 'app = "shop.main:app"')

    project = load_project(tmp_path)

    assert project.configuration.app == "shop.main:app"
    assert project.sources["app"] == "pyproject.toml"


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "[tool.harness]", 'app = "shop.main:app"')
    monkeypatch.setenv("HARNESS_APP", "shop.other:app")

    project = load_project(tmp_path)

    assert project.configuration.app == "shop.other:app"
    assert project.sources["app"] == "HARNESS_APP"


def test_an_option_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_APP", "shop.other:app")

    project = load_project(tmp_path, options={"app": "shop.third:app"})

    assert project.configuration.app == "shop.third:app"
    assert project.sources["app"] == "option"


def test_an_option_that_was_not_given_hides_nothing(tmp_path: Path) -> None:
    write(tmp_path, "[tool.harness]", 'app = "shop.main:app"')

    assert load_project(tmp_path, options={"app": None}).configuration.app == "shop.main:app"


def test_an_empty_variable_counts_as_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "[tool.harness]", 'app = "shop.main:app"')
    monkeypatch.setenv("HARNESS_APP", "")

    assert load_project(tmp_path).configuration.app == "shop.main:app"


def test_a_table_in_the_environment_is_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_ENV", '{"DATABASE_URL": "{async_url}"}')

    assert load_project(tmp_path).configuration.env == {"DATABASE_URL": "{async_url}"}


def test_a_table_in_the_environment_that_is_not_json_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_ENV", "DATABASE_URL={async_url}")

    assert "JSON" in refused(tmp_path).remedy


def test_a_variable_of_somebody_elses_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_BUILD_ID", "12")

    assert load_project(tmp_path).root == tmp_path


def test_the_nearest_table_upward_counts(tmp_path: Path) -> None:
    write(tmp_path, "[tool.harness]", 'app = "outer:app"')
    write(tmp_path / "shop", "[tool.harness]", 'app = "inner:app"')
    below = tmp_path / "shop" / "src"
    below.mkdir()

    project = load_project(below)

    assert project.root == tmp_path / "shop"
    assert project.configuration.app == "inner:app"


def test_a_nearer_file_without_a_table_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "[tool.harness]", 'app = "outer:app"')
    inner = write(tmp_path / "shop", "[project]", 'name = "shop"')

    assert load_project(inner).root == tmp_path


def test_without_any_table_the_nearest_project_is_the_root(tmp_path: Path) -> None:
    write(tmp_path, "[project]", 'name = "all"')
    inner = write(tmp_path / "shop", "[project]", 'name = "shop"')

    assert load_project(inner).root == inner


def test_an_unknown_key_is_answered_with_the_nearest_one(tmp_path: Path) -> None:
    write(tmp_path, "[tool.harness]", 'postgress = "auto"')

    error = refused(tmp_path)

    assert error.what == "[tool.harness] has no key 'postgress'"
    assert error.where == str(tmp_path / "pyproject.toml")
    assert error.remedy == "did you mean 'postgres'?"


def test_an_unknown_key_like_no_other_is_answered_with_all(tmp_path: Path) -> None:
    write(tmp_path, "[tool.harness]", "xyz = 1")

    remedy = refused(tmp_path).remedy

    assert remedy.startswith("keys: alembic, allow, app")
    assert "token" not in remedy


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("app = 1", "app"),
        ('fail_on = "n-plus-one"', "fail_on"),
        ('isolation = "clones"', "isolation"),
        ("env.PORT = 1", "env.PORT"),
        ('allow = [{ identity = "x" }]', "allow.0.reason"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(tmp_path: Path, line: str, place: str) -> None:
    write(tmp_path, "[tool.harness]", line)

    error = refused(tmp_path)

    assert error.what.startswith(f"{place}: ")
    assert str(tmp_path / "pyproject.toml") in error.where


def test_a_wrong_value_of_a_variable_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_ISOLATION", "clones")

    assert refused(tmp_path).where == "set by HARNESS_ISOLATION"


def test_a_file_that_is_not_toml_is_named_with_the_line(tmp_path: Path) -> None:
    write(tmp_path, "[tool.harness]", "app = shop")

    what = refused(tmp_path).what

    assert str(tmp_path / "pyproject.toml") in what
    assert "line 2" in what


def test_a_table_that_is_none_is_explained(tmp_path: Path) -> None:
    write(tmp_path, "[tool]", 'harness = "on"')

    assert "[tool.harness] is not a table" in refused(tmp_path).what


def test_a_token_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    write(tmp_path, "[tool.harness]", 'token = "hunter2"')

    error = refused(tmp_path)

    assert error.remedy == "set HARNESS_TOKEN"
    assert "hunter2" not in str(error)


def test_a_token_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_TOKEN", "hunter2")

    assert load_project(tmp_path).configuration.token == "hunter2"


def test_a_token_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_TOKEN", "hunter2")

    assert "hunter2" not in repr(load_project(tmp_path))


def test_allowances_are_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        "[[tool.harness.allow]]",
        'identity = "n-plus-one User.posts @ GET /users"',
        'reason = "two users at most"',
    )

    assert load_project(tmp_path).configuration.allow == (
        Allowance("n-plus-one User.posts @ GET /users", "two users at most"),
    )


def test_a_missing_application_is_answered_with_what_to_write(tmp_path: Path) -> None:
    project = load_project(tmp_path)

    with pytest.raises(ConfigurationError) as caught:
        project.required_app()
    assert str(tmp_path / "pyproject.toml") in caught.value.where
    assert 'app = "your_package.main:app"' in caught.value.remedy


def test_overrides_are_a_table_of_dependencies(tmp_path: Path) -> None:
    write(tmp_path, "[tool.harness.overrides]", '"shop.auth:current_user" = "shop.scans:anybody"')

    project = load_project(tmp_path)

    assert project.configuration.overrides == {"shop.auth:current_user": "shop.scans:anybody"}


WRITE = """
[tool.harness.write]
path = "/todos"
body = '{"title": "{key}"}'
"""


def test_a_table_says_how_to_write_and_to_find_it_again(tmp_path: Path) -> None:
    write(tmp_path, WRITE, 'select = "SELECT title FROM todos WHERE starts_with(title, $1)"')

    route = load_project(tmp_path).configuration.write

    assert route is not None
    assert (route.method, route.path, route.body_for("k")) == ("POST", "/todos", '{"title": "k"}')


def test_a_write_that_nothing_finds_again_is_refused(tmp_path: Path) -> None:
    write(tmp_path, WRITE)

    error = refused(tmp_path)

    assert error.what == "nothing finds its keys again"
    assert error.where == "the write route POST /todos"


def test_an_unknown_key_of_the_write_is_named(tmp_path: Path) -> None:
    write(tmp_path, WRITE, 'get = "/todos/{key}"', 'methods = "PUT"')

    error = refused(tmp_path)

    assert error.what.startswith("write.methods: ")
    assert str(tmp_path / "pyproject.toml") in error.where
