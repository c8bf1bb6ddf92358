"""The settings of the application: environment variables, then `.env`, then these defaults.

A module of its own so that everything else receives a finished `Settings` and nothing reads
the environment at import.
"""

from functools import lru_cache

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

DRIVER = "postgresql+asyncpg"


class Settings(BaseSettings):
    """What a deployment can choose, each field as `TARGET_APP_<FIELD>`.

    Attributes:
        database_url: Where the data lives, `postgresql+asyncpg://user@host/database`. Required.
        echo: Log every statement; plain `SQLALCHEMY_ECHO=1` works too.
        pool_size: Connections kept open.
        max_overflow: Connections opened beyond `pool_size` under load, closed afterwards.
        pool_timeout: Seconds a request waits for a connection before it is answered with 503.
        faults: Mount the deliberately faulty endpoints and their healthy twins.
    """

    model_config = SettingsConfigDict(
        env_prefix="TARGET_APP_",
        env_file=".env",
        extra="ignore",  # one `.env` usually serves more than one program
        frozen=True,
        hide_input_in_errors=True,  # the URL carries a password
        validate_by_name=True,
        validate_by_alias=True,
    )

    database_url: str = Field(default="", validate_default=True, repr=False)
    echo: bool = Field(
        default=False, validation_alias=AliasChoices("TARGET_APP_ECHO", "SQLALCHEMY_ECHO")
    )
    pool_size: int = Field(default=5, ge=1)
    max_overflow: int = Field(default=5, ge=0)
    pool_timeout: float = Field(default=5.0, gt=0)
    faults: bool = False

    @field_validator("database_url")
    @classmethod
    def _names_the_driver(cls, url: str) -> str:
        example = f"{DRIVER}://user:password@localhost:5432/database"
        if not url:
            message = f"TARGET_APP_DATABASE_URL is not set; set it to something like {example}"
            raise ValueError(message)
        try:
            driver = make_url(url).drivername
        except ArgumentError:
            # `from None`: SQLAlchemy's message repeats the URL, password included.
            message = f"TARGET_APP_DATABASE_URL is not a URL; expected something like {example}"
            raise ValueError(message) from None
        if driver != DRIVER:
            message = f"TARGET_APP_DATABASE_URL names {driver!r}; this application needs {DRIVER!r}"
            raise ValueError(message)
        return url


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process, read once (`get_settings.cache_clear()` forgets).

    Raises:
        pydantic.ValidationError: A variable is missing or wrong; the message names it.
    """
    return Settings()
