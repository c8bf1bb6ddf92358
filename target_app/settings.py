"""The settings of the application: environment variables, then `.env`, then these defaults.

A module of its own so that everything else receives a finished `Settings` and nothing reads
the environment at import.
"""

from functools import lru_cache
from typing import Literal, Self

from pydantic import AliasChoices, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

DRIVERS = {"postgresql+asyncpg": "postgresql+psycopg", "sqlite+aiosqlite": "sqlite"}
"""The drivers that the application runs on, each with the one of its sync twin."""

_PREFIX = "TARGET_APP_"
_EXAMPLES = (
    "postgresql+asyncpg://user:password@localhost:5432/database "
    "or, for a first look, sqlite+aiosqlite:///shop.db"
)
_URL_VARIABLE = "TARGET_APP_DATABASE_URL (or DATABASE_URL)"

# What asyncpg reads from a URL and libpq calls otherwise, or does not know at all (None).
_LIBPQ_NAMES = {
    "ssl": "sslmode",
    "timeout": "connect_timeout",
    "command_timeout": None,
    "statement_cache_size": None,
    "prepared_statement_cache_size": None,
}


class Settings(BaseSettings):
    """What a deployment can choose, each field as `TARGET_APP_<FIELD>`.

    `DATABASE_URL`, `DEBUG` and `SQLALCHEMY_ECHO`, by which such things usually go, work as well;
    the prefixed name wins.

    Attributes:
        database_url: Where the data lives, PostgreSQL or a file of SQLite. Required.
        environment: In `production` nothing may create tables or mount faults.
        debug: Log every statement and show stack traces in answers.
        echo: Log every statement.
        pool_size: Connections kept open, by each of the two engines (async and sync).
        max_overflow: Connections opened beyond `pool_size` under load, closed afterwards.
        pool_timeout: Seconds a request waits for a connection before it is answered with 503.
        pool_pre_ping: Test a connection before it is used, so that a restarted database costs no
            failed requests.
        statement_timeout: Seconds after which PostgreSQL cancels a statement.
        idle_in_transaction_timeout: Seconds after which PostgreSQL ends a connection whose
            transaction does nothing; a forgotten one would keep its locks for ever.
        unit_of_work: What ends the transaction of a request: the session dependency, or a
            middleware around the whole application that rolls back on any answer from 400 on.
        faults: Mount the deliberately faulty endpoints and their healthy twins.
        load_faults: Mount those that show under load, with their twins and the workloads of known
            capacity. PostgreSQL only.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=".env",
        extra="ignore",  # one `.env` usually serves more than one program
        frozen=True,
        hide_input_in_errors=True,  # the URL carries a password
        validate_by_name=True,
        validate_by_alias=True,
    )

    database_url: str = Field(
        default="",
        validate_default=True,
        repr=False,
        validation_alias=AliasChoices("TARGET_APP_DATABASE_URL", "DATABASE_URL"),
    )
    environment: Literal["development", "production"] = "development"
    debug: bool = Field(default=False, validation_alias=AliasChoices("TARGET_APP_DEBUG", "DEBUG"))
    echo: bool = Field(
        default=False, validation_alias=AliasChoices("TARGET_APP_ECHO", "SQLALCHEMY_ECHO")
    )
    pool_size: int = Field(default=5, ge=1)
    max_overflow: int = Field(default=5, ge=0)
    pool_timeout: float = Field(default=5.0, gt=0)
    pool_pre_ping: bool = True
    statement_timeout: float = Field(default=30.0, gt=0)
    idle_in_transaction_timeout: float = Field(default=60.0, gt=0)
    unit_of_work: Literal["dependency", "middleware"] = "dependency"
    faults: bool = False
    load_faults: bool = False

    @property
    def url(self) -> URL:
        """The URL for the async engine."""
        return make_url(self.database_url)

    @property
    def sync_url(self) -> URL:
        """The same database for the sync engine, in the words of its driver."""
        names = _LIBPQ_NAMES if self.url.get_backend_name() == "postgresql" else {}
        renamed = {names.get(key, key): value for key, value in self.url.query.items()}
        known = {key: value for key, value in renamed.items() if key is not None}
        return self.url.set(drivername=DRIVERS[self.url.drivername], query=known)

    @field_validator("database_url")
    @classmethod
    def _names_a_database_that_works(cls, database_url: str) -> str:
        if not database_url:
            message = f"TARGET_APP_DATABASE_URL is not set; set it to something like {_EXAMPLES}"
            raise ValueError(message)
        try:
            url = make_url(database_url)
        except (ArgumentError, ValueError):
            # `from None`: these messages repeat the URL, or the part of it that should be the
            # port and is the password where somebody mixed up the order.
            message = f"{_URL_VARIABLE} is not a URL; expected something like {_EXAMPLES}"
            raise ValueError(message) from None
        if url.drivername not in DRIVERS:
            message = (
                f"{_URL_VARIABLE} names {url.drivername!r}; "
                f"this application works with {' and '.join(DRIVERS)}"
            )
            raise ValueError(message)
        if url.get_backend_name() == "sqlite" and _is_in_memory(url):
            message = (
                f"{_URL_VARIABLE} names a database in memory, which each connection would "
                "have to itself; name a file, like sqlite+aiosqlite:///shop.db"
            )
            raise ValueError(message)
        return database_url

    @model_validator(mode="after")
    def _faults_stay_out_of_production(self) -> Self:
        for name in ("faults", "load_faults"):
            if getattr(self, name) and self.environment == "production":
                variable = _PREFIX + name.upper()
                raise ValueError(f"{variable} cannot be on in production; unset one of the two")
        return self

    @model_validator(mode="after")
    def _load_faults_have_a_server(self) -> Self:
        if self.load_faults and self.url.get_backend_name() != "postgresql":
            raise ValueError(
                "TARGET_APP_LOAD_FAULTS needs PostgreSQL: its faults are about connections and "
                f"locks of a server; {_URL_VARIABLE} names {self.url.drivername!r}"
            )
        return self


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process, read once (`get_settings.cache_clear()` forgets).

    Raises:
        pydantic.ValidationError: A variable is missing or wrong; the message names it.
    """
    return Settings()


def explain(error: ValidationError) -> str:
    """Return what is wrong with the settings, a line for each, as the commands print it."""
    return "\n".join(map(_in_words, error.errors(include_url=False, include_input=False)))


def without_secrets(url: URL) -> str:
    """Return the URL for a message; drivers take the password from its query as well."""
    secret = [key for key in url.query if "password" in key]
    return url.difference_update_query(secret).render_as_string(hide_password=True)


def _in_words(problem: ErrorDetails) -> str:
    if problem["type"] == "value_error":  # one of this module, which names its variable itself
        return problem["msg"].removeprefix("Value error, ")
    # pydantic names an aliased field by its alias, which is the variable already.
    name = "".join(map(str, problem["loc"]))
    return f"{name if name.isupper() else _PREFIX + name.upper()}: {problem['msg']}"


def _is_in_memory(url: URL) -> bool:
    # The last two are SQLite's own URIs: file::memory: and file:name?mode=memory.
    database = url.database or ":memory:"
    return ":memory:" in database or "mode=memory" in database or url.query.get("mode") == "memory"
