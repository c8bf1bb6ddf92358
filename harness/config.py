"""The one home of settings: ``[tool.harness]``, then the environment, then the command line.

Read once by a door and passed on; nothing below the doors reads settings. The nearest
``pyproject.toml`` upward counts, so that commands work in any folder of a project.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from harness.errors import ConfigurationError
from harness.findings import Allowance

__all__ = ["KEY", "Configuration", "Project", "WriteRoute", "load_project"]

KEY = "{key}"
"""Where the key of a write goes."""
_FILE = "pyproject.toml"


@dataclass(frozen=True, slots=True)
class WriteRoute:
    """Which endpoint writes, what it is sent, and how a key is found again.

    Raises:
        ConfigurationError: A part lacks its placeholder, or there is no way to find a key.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    path: str
    """Below the application's address: ``"/todos"``."""
    body: str
    """JSON with ``{key}`` where the key goes: ``'{"owner_id": 1, "title": "{key}"}'``."""
    select: str = ""
    """Reads keys, one a row, those twice that are there twice. ``$1`` is what they begin with:
    ``"SELECT title FROM todos WHERE starts_with(title, $1)"``."""
    get: str = ""
    """Instead of `select`, where the database is not ours to ask: a path with ``{key}`` that
    answers 404, or a document that has the key as often as it was written."""
    method: str = "POST"

    def __post_init__(self) -> None:
        where = f"the write route {self.method} {self.path}"
        if KEY not in self.body:
            raise ConfigurationError(f"its body has no {KEY}", where=where)
        try:
            json.loads(self.body_for("x"))
        except ValueError as error:
            raise ConfigurationError(f"its body is no JSON: {error}", where=where) from error
        if self.select and "$1" not in self.select:
            what = "its select has no $1: it would read rows that the writers did not write"
            raise ConfigurationError(what, where=where)
        if self.get and KEY not in self.get:
            raise ConfigurationError(f"its get has no {KEY}", where=where)
        if not self.select and not self.get:
            remedy = "give it a `select` or a `get`"
            raise ConfigurationError("nothing finds its keys again", where=where, remedy=remedy)

    def body_for(self, key: str) -> str:
        """The body that writes a key."""
        return self.body.replace(KEY, key)


class Configuration(BaseSettings):
    """The keys of ``[tool.harness]``; each may also be given as ``HARNESS_<KEY>``."""

    model_config = SettingsConfigDict(
        env_prefix="HARNESS_", env_ignore_empty=True, extra="forbid", frozen=True
    )

    app: str | None = None
    """``"pkg.main:app"``, an ASGI application or a factory of one."""
    env: dict[str, str] = Field(default_factory=dict)
    """Environment variables set before the application is imported. Placeholders: ``{url}``,
    ``{async_url}``, ``{sync_url}``, ``{host}``, ``{port}``, ``{user}``, ``{password}``,
    ``{database}``."""
    app_packages: tuple[str, ...] = ()
    """Importable packages whose frames are the user's; default: everything under the root."""
    session_dependency: str | None = None
    """``"pkg.database:get_session"``: checked to be a dependency of some route."""
    metadata: str | None = None
    """``"pkg.models:Base.metadata"`` or ``"pkg.models:Base"``: the schema, made by create_all."""
    alembic: str | None = None
    """Path of an ``alembic.ini``: the schema, made by ``upgrade head``. Wins over metadata."""
    postgres: str = "auto"
    """``auto``, ``embedded``, ``container``, ``system`` or a ``postgresql://`` URL; ``sqlite`` for
    a file in place of a server."""
    image: str | None = None
    """Of the container; by default the official image of the embedded server's major version."""
    populate: str | None = None
    """``"pkg.rows:populate"``: called with a session; the rows are the base line of every test."""
    isolation: Literal["rollback", "clone"] = "rollback"
    """How tests are kept apart that have no marker ``database``."""
    lifespan: Literal["session", "test"] = "session"
    """How long the application runs: once for all tests on an event loop, or anew for each."""
    wait_seconds: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    """How long a transaction waits for others of its test to end, where they take turns."""
    escape: Literal["error", "warn"] = "error"
    """What becomes of a connection that leads out of a test, and of a task that outlives it."""
    overrides: dict[str, str] = Field(default_factory=dict)
    """``{"pkg.auth:current_user" = "pkg.scans:any_user"}``: dependencies that a scan replaces."""
    fail_on: tuple[str, ...] = ()
    """Kinds of findings that fail a test; a checkup fails on every open warning and error."""
    allow: tuple[Allowance, ...] = ()
    """Accepted findings."""
    write: WriteRoute | None = None
    """The endpoint that load probes write through, to see whether a write gets lost."""
    token: str | None = Field(default=None, repr=False)
    """Opens the probe's status; only from the environment."""


@dataclass(frozen=True, slots=True)
class Project:
    """A configuration and the folder that its paths and imports are relative to."""

    root: Path
    configuration: Configuration
    sources: Mapping[str, str]
    """Where each value came from: ``pyproject.toml``, ``HARNESS_APP``, ``option``, ``default``."""

    def required_app(self) -> str:
        """The configured application.

        Raises:
            ConfigurationError: If none is configured.
        """
        if self.configuration.app is None:
            raise ConfigurationError(
                "no application is configured",
                where=f"looked for [tool.harness] in {self.root / _FILE}",
                remedy='add to it:\n  [tool.harness]\n  app = "your_package.main:app"\n'
                "or set HARNESS_APP",
            )
        return self.configuration.app


def load_project(start: Path | None = None, *, options: Mapping[str, Any] | None = None) -> Project:
    """Read the configuration that holds for a folder.

    Args:
        start: Folder to search upward from; default: the working directory.
        options: What the command line said, by key; None values count as not said.

    Raises:
        ConfigurationError: If a key is unknown or a value does not fit.
    """
    root, table = _nearest_table((start or Path.cwd()).resolve())
    said = {key: value for key, value in (options or {}).items() if value is not None}
    _refuse_unknown(table, root / _FILE)
    try:
        environment = EnvSettingsSource(Configuration)()
    except SettingsError as error:
        remedy = "tables and lists are written as JSON there"
        raise ConfigurationError(str(error), remedy=remedy) from error
    origins = dict.fromkeys(Configuration.model_fields, "default")
    origins |= dict.fromkeys(table, _FILE)
    origins |= {key: f"HARNESS_{key.upper()}" for key in environment}
    origins |= dict.fromkeys(said, "option")
    try:
        configuration = Configuration.model_validate({**table, **environment, **said})
    except ValidationError as error:
        raise _explained(error, origins, root / _FILE) from error
    return Project(root, configuration, origins)


def _nearest_table(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The nearest ``[tool.harness]`` upward; without one, the nearest project's folder."""
    root = None
    for candidate in (folder, *folder.parents):
        file = candidate / _FILE
        if not file.is_file():
            continue
        root = root or candidate
        table = _read(file).get("tool", {}).get("harness")
        if table is not None:
            if not isinstance(table, dict):
                raise ConfigurationError("[tool.harness] is not a table", where=str(file))
            return candidate, table
    return root or folder, {}


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is not valid TOML: {error}") from error


def _refuse_unknown(table: Mapping[str, Any], file: Path) -> None:
    known = set(Configuration.model_fields) - {"token"}
    for key in table:
        if key == "token":
            raise ConfigurationError(
                "a token does not belong into a file", where=str(file), remedy="set HARNESS_TOKEN"
            )
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise ConfigurationError(
                f"[tool.harness] has no key {key!r}",
                where=str(file),
                remedy=f"did you mean {near[0]!r}?"
                if near
                else f"keys: {', '.join(sorted(known))}",
            )


def _explained(
    error: ValidationError, origins: Mapping[str, str], file: Path
) -> ConfigurationError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    origin = origins[str(first["loc"][0])]
    return ConfigurationError(
        f"{place}: {first['msg']}, got {first['input']!r}",
        where=f"[tool.harness] in {file}" if origin == _FILE else f"set by {origin}",
    )
