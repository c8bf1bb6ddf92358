"""What a template depends on, as one hash: the same key means the same tables and rows.

A file that counts and does not is a template made again, half a second; one that does not count and
does is a test on stale tables. So the project's own modules count that a migration or the function
that writes rows imports, directly or not. What is imported by a computed name is not seen.
"""

from __future__ import annotations

import ast
import configparser
import hashlib
import re
from collections.abc import Iterable, Iterator
from importlib import util
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, create_mock_engine

__all__ = ["content_of", "ddl_of", "imported_files", "key_of", "migration_files"]

_HEXADECIMAL_DIGITS = 16
_IN_MIGRATIONS = {".py", ".sql"}
_BETWEEN_FOLDERS = re.compile(r"[\s,;:]+")
"""Alembic has a setting for it; a folder with one of these in its name is not found, and then there
is no template."""


def key_of(parts: Iterable[str | bytes]) -> str:
    """One key for all parts, in their order."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()[:_HEXADECIMAL_DIGITS]


def content_of(files: Iterable[Path]) -> Iterator[bytes]:
    """Name and content of each file, in an order that is the same everywhere."""
    for file in sorted(set(files)):
        yield file.name.encode()
        yield file.read_bytes()


def migration_files(ini: Path, root: Path) -> set[Path] | None:
    """The ``alembic.ini``, the scripts, and what the revisions import of the project.

    ``env.py`` counts itself, what it imports does not: models, for `autogenerate`.

    Returns:
        None where the scripts are not found: then only Alembic knows.
    """
    folders = _folders(ini, root)
    if not folders or not all(folder.is_dir() for folder in folders):
        return None
    own = {
        file
        for folder in folders
        for file in folder.rglob("*")
        if file.suffix in _IN_MIGRATIONS and "__pycache__" not in file.parts
    }
    revisions = {file for file in own if file.name != "env.py"}
    return {ini} | own | imported_files(revisions, root)


def imported_files(files: Iterable[Path], root: Path) -> set[Path]:
    """Files, and the project's own modules that they import, and those that these import."""
    found: set[Path] = set()
    left = [file.resolve() for file in files]
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            if file.suffix == ".py":
                left.extend(_imports(file, root.resolve()))
    return found


def ddl_of(metadata: MetaData) -> str | None:
    """The statements that `create_all` would run on an empty PostgreSQL.

    Returns:
        None where a listener of the project's own needs a real connection.
    """
    statements: list[str] = []

    def collect(statement: Any, *_arguments: object, **_options: object) -> None:  # noqa: ANN401 - DDL, or a listener's own
        statements.append(str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine("postgresql+asyncpg://", collect)
    try:
        metadata.create_all(engine, checkfirst=False)
    except Exception:  # noqa: BLE001 - of the project's listener; with a connection it raises again
        return None
    return "\n".join(statements)


def _folders(ini: Path, root: Path) -> list[Path]:
    # Importing Alembic to ask it takes 0.4 s [measured].
    parser = configparser.ConfigParser({"here": str(ini.parent)})
    try:
        parser.read(ini, encoding="utf-8")
        location = parser.get("alembic", "script_location")
        versions = parser.get("alembic", "version_locations", fallback="")
    except (configparser.Error, UnicodeDecodeError):
        return []
    package, _, folder = location.partition(":")
    if folder and (found := util.find_spec(package)) is not None and found.origin is not None:
        location = str(Path(found.origin).parent / folder)
    return [root / name for name in (location, *filter(None, _BETWEEN_FOLDERS.split(versions)))]


def _imports(file: Path, root: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError:
        return  # whoever imports it will say so
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _modules(alias.name.split("."), (root, root / "src"))
        elif isinstance(node, ast.ImportFrom):
            places = _above(file, node.level) if node.level else (root, root / "src")
            parts = node.module.split(".") if node.module else []
            for alias in node.names:
                yield from _modules([*parts, alias.name], places)


def _above(file: Path, level: int) -> tuple[Path]:
    return (file.parents[level - 1],)


def _modules(parts: list[str], places: Iterable[Path]) -> Iterator[Path]:
    """The files that importing a dotted name runs; its last part may be no module at all."""
    for place in places:
        here = place
        for part in parts:
            module = here / f"{part}.py"
            here /= part
            if (here / "__init__.py").is_file():
                yield here / "__init__.py"
            elif module.is_file():
                yield module
            elif not here.is_dir():  # a name in a module, or a package from elsewhere
                break
