"""Find the application that the configuration names, and what it is made of.

The environment is set before the import: engines are often made while a module is imported, from
whatever ``DATABASE_URL`` says at that moment.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from harness.asgi.environment import filled
from harness.errors import ConfigurationError, TargetImportError

__all__ = [
    "applications",
    "environment_for",
    "import_target",
    "load_app",
    "require_dependency",
]


_DRIVERS = {
    "postgresql": ("postgresql+asyncpg", "postgresql+psycopg"),
    "sqlite": ("sqlite+aiosqlite", "sqlite"),
}
_HARNESS = Path(__file__).resolve().parents[1]


def environment_for(template: Mapping[str, str], url: URL) -> dict[str, str]:
    """Fill the placeholders of the configured environment variables.

    Args:
        template: Variables as configured, e.g. ``{"DATABASE_URL": "{async_url}"}``.
        url: The database; its driver is replaced per placeholder. One of SQLite has no host, port
            or user, and its ``database`` is a path.

    Raises:
        ConfigurationError: If a placeholder is unknown.
    """
    awaited, blocking = _DRIVERS[url.get_backend_name()]
    values = {
        "url": _shown(url.set(drivername=url.get_backend_name())),
        "async_url": _shown(url.set(drivername=awaited)),
        "sync_url": _shown(url.set(drivername=blocking)),
        "host": url.host or "",
        "port": str(url.port or ""),
        "user": url.username or "",
        "password": url.password or "",
        "database": url.database or "",
    }
    return filled(template, values)


def load_app(target: str, *, root: Path, environment: Mapping[str, str]) -> Any:  # noqa: ANN401 - any ASGI application
    """Import the application, or call its factory.

    Args:
        target: ``"pkg.main:app"`` or ``"pkg.main:create_app"``.
        root: Folder of the project; importable while and after this call.
        environment: Set in this process before the import.

    Raises:
        TargetImportError: If the module or the name is missing, or importing it raises.
    """
    os.environ.update(environment)
    found = import_target(target, root=root)
    if _is_application(found):
        return found
    if not callable(found):
        raise TargetImportError(
            f"{target!r} is neither an ASGI application nor a factory, but of type "
            f"{type(found).__name__}"
        )
    try:
        made = found()
    except Exception as error:
        raise TargetImportError(
            f"the factory {target!r} raised {type(error).__name__}: {_first_line(error)}",
            where=_raised_at(error, root),
            remedy="call it yourself to see the whole traceback: "
            f"python -c 'from {target.replace(':', ' import ')} as make; make()'",
        ) from error
    if not _is_application(made):
        raise TargetImportError(
            f"the factory {target!r} returned a {type(made).__name__}, not an ASGI application"
        )
    return made


def import_target(target: str, *, root: Path) -> Any:  # noqa: ANN401 - whatever the name holds
    """Import ``"module:name"``; the name may have dots.

    Raises:
        TargetImportError: If it cannot be imported.
    """
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise TargetImportError(f"{target!r} is not of the form 'package.module:name'")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        found = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise TargetImportError(
            f"importing {module_name!r} raised {type(error).__name__}: {_first_line(error)}",
            where=_raised_at(error, root),
            remedy=_import_remedy(error, root),
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, dir(found), n=1)
            raise TargetImportError(
                f"{module_name!r} has no {name!r}",
                remedy=f"did you mean {near[0]!r}?" if near else "",
            )
        found = getattr(found, part)
    return found


def require_dependency(app: object, dependency: Callable[..., Any], *, what: str) -> None:
    """Check that some route of the application depends on a callable.

    Args:
        app: The application; its mounts and included routers are searched too.
        dependency: The callable that routes name in ``Depends``.
        what: Where the callable was named, for the message.

    Raises:
        ConfigurationError: If no route does; names the nearest dependency that is used.
    """
    used = set(_dependencies(app))
    if dependency in used:
        return
    wanted = getattr(dependency, "__name__", str(dependency))
    names = {getattr(call, "__name__", str(call)): _target_of(call) for call in used}
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.4)
    raise ConfigurationError(
        f"no route of the application depends on {wanted!r}",
        where=what,
        remedy=f"did you mean {names[near[0]]!r}?"
        if near
        else f"used: {', '.join(names.values())}",
    )


def _target_of(call: Callable[..., Any]) -> str:
    return f"{call.__module__}:{getattr(call, '__qualname__', call)}"


def _dependencies(app: object) -> Iterator[Callable[..., Any]]:
    for part in applications(app):
        for route in getattr(part, "routes", None) or ():
            dependant = getattr(route, "dependant", None)
            if dependant is not None:
                yield from _calls(dependant)


def applications(app: Any) -> Iterator[Any]:  # noqa: ANN401 - any ASGI application
    """An application, under the middleware around it, and whatever is mounted on it or included."""
    while not hasattr(app, "routes") and hasattr(app, "app"):
        app = app.app
    yield app
    for route in getattr(app, "routes", None) or ():
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        if inner is not None:
            yield from applications(inner)


def _calls(dependant: Any) -> Iterator[Callable[..., Any]]:  # noqa: ANN401 - FastAPI's Dependant
    for child in dependant.dependencies:
        if child.call is not None:
            yield child.call
        yield from _calls(child)


def _is_application(found: object) -> bool:
    if inspect.isclass(found):
        return False
    if inspect.isfunction(found):
        return list(inspect.signature(found).parameters) == ["scope", "receive", "send"]
    method = inspect.getattr_static(type(found), "__call__", None)
    return inspect.iscoroutinefunction(method)


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0]


def _raised_at(error: BaseException, root: Path) -> str:
    """The innermost line of the project in the error's traceback."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        is_ours = file.is_relative_to(_HARNESS) or "site-packages" in file.parts
        if file.is_relative_to(root) and not is_ours:
            place = f"at {file.relative_to(root)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _import_remedy(error: BaseException, root: Path) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name in {"psycopg", "psycopg2"}:
        return (
            f"pip install '{error.name}{'[binary]' if error.name == 'psycopg' else '-binary'}' "
            "(SQLAlchemy 2.1 takes postgresql:// for psycopg 3); or, for an engine made by "
            "create_async_engine, {async_url} in [tool.harness.env]"
        )
    if isinstance(error, ModuleNotFoundError) and error.name == "aiosqlite":
        return "pip install 'fastapi-sqlalchemy-harness[sqlite]'"
    if isinstance(error, ModuleNotFoundError):
        return f"searched {root} and the environment; is the configured name right?"
    return "environment variables that it needs belong into [tool.harness.env]"
