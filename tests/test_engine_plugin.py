"""The pool's parameters, from the URL into an engine that somebody else makes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

from harness.engine_plugin import with_echo, with_pool
from harness.errors import ConfigurationError


@pytest.fixture
def url(tmp_path: Path) -> URL:
    """A SQLite file: its engines have a QueuePool."""
    return make_url(f"sqlite:///{tmp_path}/plugin.db")


@contextmanager
def _engine(url: URL, **parameters: Any) -> Iterator[Engine]:  # noqa: ANN401 - as create_engine takes them
    engine = create_engine(url, **parameters)
    try:
        yield engine
    finally:
        engine.dispose()


def _parameters(engine: Engine) -> tuple[int, int, float]:
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    return pool.size(), pool._max_overflow, pool.timeout()  # noqa: SLF001 - no public reader


def test_the_url_wins_over_what_the_application_passes(url: URL) -> None:
    overridden = with_pool(url, pool_size=2, max_overflow=0, pool_timeout=0.5)

    with _engine(overridden, pool_size=20, max_overflow=30, pool_timeout=60) as engine:
        assert _parameters(engine) == (2, 0, 0.5)


def test_what_the_url_does_not_name_is_left_to_the_application(url: URL) -> None:
    with _engine(with_pool(url, pool_size=2), pool_size=20, max_overflow=30) as engine:
        assert _parameters(engine) == (2, 30, 30.0)


def test_an_application_that_passes_nothing_is_overridden_too(url: URL) -> None:
    with _engine(with_pool(url, max_overflow=3)) as engine:
        assert _parameters(engine) == (5, 3, 30.0)


def test_the_driver_does_not_see_the_parameters(url: URL) -> None:
    with _engine(with_pool(url, pool_size=2, max_overflow=0)) as engine:
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1

        assert engine.url == url


def test_other_parameters_of_the_url_stay(url: URL) -> None:
    with _engine(with_pool(url.update_query_dict({"timeout": "7"}), pool_size=2)) as engine:
        assert dict(engine.url.query) == {"timeout": "7"}


def test_an_async_engine_is_overridden() -> None:
    url = make_url("postgresql+asyncpg://user@localhost/nowhere")

    engine = create_async_engine(with_pool(url, pool_size=2, max_overflow=1), pool_size=20)

    assert _parameters(engine.sync_engine)[:2] == (2, 1)
    assert engine.url == url


def test_a_pool_without_a_size_is_left_alone(url: URL) -> None:
    with _engine(with_pool(url, pool_size=2), poolclass=NullPool) as engine:
        assert isinstance(engine.pool, NullPool)


def test_a_pool_that_was_made_already_is_left_alone(url: URL) -> None:
    with (
        _engine(url, pool_size=7) as made,
        _engine(with_pool(url, pool_size=2), pool=made.pool) as engine,
    ):
        assert _parameters(engine)[0] == 7


def test_a_database_in_memory_is_left_alone() -> None:
    with _engine(with_pool(make_url("sqlite://"), pool_size=2, max_overflow=0)) as engine:
        assert not isinstance(engine.pool, QueuePool)


def test_naming_no_pool_class_is_no_choice(url: URL) -> None:
    with _engine(with_pool(url, pool_size=2), poolclass=None) as engine:
        assert _parameters(engine)[0] == 2


def test_without_parameters_the_url_is_unchanged(url: URL) -> None:
    assert with_pool(url) is url


# In a process of its own: where SQLAlchemy writes its log is a matter of the whole process.
_ECHOING = """
import sys
from sqlalchemy import create_engine, text
engine = create_engine(sys.argv[1])
with engine.connect() as connection:
    connection.execute(text("SELECT 41 + 1"))
print(engine.pool.size())
"""


def test_an_engine_of_an_echoing_url_logs_what_it_executes(url: URL) -> None:
    echoing = with_echo(with_pool(url, pool_size=2)).render_as_string(hide_password=False)

    done = subprocess.run(
        [sys.executable, "-c", _ECHOING, echoing], capture_output=True, text=True, check=True
    )

    assert "SELECT 41 + 1" in done.stdout
    assert done.stdout.splitlines()[-1] == "2"


def test_another_engine_does_not(url: URL) -> None:
    with _engine(with_pool(url, pool_size=2)) as engine:
        assert not engine.echo


def _asking(url: URL, **query: str) -> URL:
    """A URL as a person writes it."""
    return url.update_query_dict({"plugin": "harness", **query})


def test_the_short_names_are_taken_and_do_not_reach_the_driver(url: URL) -> None:
    short = _asking(url, pool_size="2", max_overflow="0", pool_timeout="0.5")

    with _engine(short, pool_size=20) as engine, engine.connect():
        assert _parameters(engine) == (2, 0, 0.5)
        assert engine.url == url


def test_the_long_name_wins_over_the_short_one(url: URL) -> None:
    with _engine(_asking(url, pool_size="2", harness_pool_size="3")) as engine:
        assert _parameters(engine)[0] == 3
        assert engine.url == url


def test_a_name_that_nobody_knows_is_refused_with_the_nearest(url: URL) -> None:
    with pytest.raises(ConfigurationError, match="'harness_poolsize'") as refused:
        create_engine(_asking(url, harness_poolsize="2"))

    assert refused.value.remedy == "did you mean 'harness_pool_size'?"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pool_size", "two"),
        ("pool_size", "2.5"),
        ("pool_size", "-1"),
        ("max_overflow", "-2"),
        ("pool_timeout", "-0.1"),
        ("pool_timeout", "nan"),
        ("pool_timeout", "inf"),
        ("pool_timeout", ""),
    ],
)
@pytest.mark.parametrize("prefix", ["", "harness_"])
def test_a_value_that_does_not_fit_is_refused_by_its_key(
    url: URL, prefix: str, key: str, value: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{prefix}{key}={value} of the database URL"):
        create_engine(_asking(url, **{f"{prefix}{key}": value}))


def test_a_key_that_is_given_twice_is_refused(url: URL) -> None:
    twice = url.update_query_pairs([("plugin", "harness"), *(("pool_size", n) for n in "23")])

    with pytest.raises(ConfigurationError, match=r"pool_size=2, 3 \(given 2 times\)"):
        create_engine(twice)


def test_echo_is_a_switch(url: URL) -> None:
    with _engine(_asking(url, harness_echo="0")) as engine:
        assert not engine.echo
    with pytest.raises(ConfigurationError, match="harness_echo=maybe"):
        create_engine(_asking(url, harness_echo="maybe"))
