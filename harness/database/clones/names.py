"""What the databases are called, so that a later run can tell whose they were.

    harness_1f2e3d4c5b6a             the database of a run (12 hexadecimal digits)
    harness_gw0_1f2e3d4c5b6a         the same of a worker of pytest-xdist
    harness_gw0_1f2e3d4c5b6a_c7      its seventh copy, for one test
    harness_tpl_9c1e…                a template: tables and rows as configured, for all runs

A name alone proves nothing: a run's databases are ours when the first of them carries our comment,
a template when it does itself. Copies are made while a process may be killed at any moment, so they
need no comment of their own.
"""

from __future__ import annotations

import re
import secrets

__all__ = ["COMMENT", "TEMPLATE_PREFIX", "family_of", "lock_of", "new_name", "run_of", "use_of"]

COMMENT = "harness: "
"""What our comments on databases begin with."""
TEMPLATE_PREFIX = "harness_tpl_"
_RUN = re.compile(r"(?P<family>harness_(?:[a-z0-9]+_)?(?P<run>[0-9a-f]{12}))(?:_[a-z]\d*)?")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]")
# Advisory locks have one number space for all programs of a database: ours begin with "HA".
_OURS = int.from_bytes(b"HA") << 48
_IN_USE = int.from_bytes(b"HU") << 48


def new_name(worker: str = "") -> str:
    """A name for the database of a run."""
    worker = _NOT_IN_NAMES.sub("", worker.lower())
    return f"harness_{worker + '_' if worker else ''}{secrets.token_hex(6)}"


def run_of(name: str) -> str | None:
    """The run that a database belongs to, None if it is not named like ours."""
    found = _RUN.fullmatch(name)
    return None if found is None else found["run"]


def family_of(name: str) -> str:
    """The database of the run that one of its databases belongs to."""
    found = _RUN.fullmatch(name)
    return name if found is None else found["family"]


def lock_of(hexadecimal: str) -> int:
    """The advisory lock that stands for a run or a template: up to 12 digits of its name count."""
    return _OURS | int(hexadecimal[:12], 16)


def use_of(template: str) -> int:
    """The advisory lock that runs share while they copy a template, by its name."""
    return _IN_USE | int(template.removeprefix(TEMPLATE_PREFIX)[:12], 16)
