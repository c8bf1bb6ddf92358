"""The published JSON Schema of the lock, for editors and for whoever reads the file elsewhere.

Not what a gate reads by: `reading` also knows what a schema cannot say, and names the line.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

__all__ = ["load_lock_schema"]


def load_lock_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the file."""
    text = files("harness.lock").joinpath("query-lock.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
