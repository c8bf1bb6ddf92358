"""The file of ``--plan``: what users request, written by whoever knows the application.

A module of its own because the command, Locust's option and the packaged scenarios read it alike,
and a plan that is none must be told before anything is loaded. Free of Locust.
"""

from __future__ import annotations

import json
from pathlib import Path

from harness.errors import MisuseError
from harness.load.routes import Plan, route_of, without_method

__all__ = ["read_plan"]

_PARTS_OF_ROW = 2


def read_plan(file: Path) -> Plan:
    """The routes of a plan, and the paths to request them by.

    Args:
        file: A JSON list with a ``[route, path]`` for each, such as
            ``[["GET /users/{id}", "/users/7"]]``.

    Raises:
        MisuseError: It cannot be read, is no such list, or asks for another operation than GET;
            with what is wrong of it.
    """
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _is_none(file, str(error)) from error
    if not isinstance(rows, list):
        raise _is_none(file, f"it is of type {type(rows).__name__}")
    if not rows:
        raise _is_none(file, "it is empty, so nothing would be requested")
    return tuple(_route(file, number, row) for number, row in enumerate(rows, start=1))


def _route(file: Path, number: int, row: object) -> tuple[str, str]:
    if not (isinstance(row, list) and len(row) == _PARTS_OF_ROW and all(map(_is_text, row))):
        raise _is_none(file, f"entry {number} is {json.dumps(row)}")
    name, path = row
    if not path.startswith("/"):
        raise _is_none(
            file, f"the path of entry {number}, {json.dumps(path)}, does not begin with /"
        )
    route = route_of("GET", name)
    method, _, _ = route.partition(" ")
    if without_method(route) != route and method != "GET":
        raise MisuseError(
            f"entry {number} of {file}, {json.dumps(name)}, would be requested by GET",
            remedy="write Locust classes of your own, which send what they like",
        )
    return route, path


def _is_text(part: object) -> bool:
    return isinstance(part, str) and bool(part)


def _is_none(file: Path, why: str) -> MisuseError:
    return MisuseError(
        f"{file} is no JSON list of [route, path]: {why}",
        remedy='such as [["GET /users/{id}", "/users/7"]]; without --plan OpenAPI tells the routes',
    )
