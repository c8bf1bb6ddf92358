"""How long each command of the rig may take at most: known to the rig, and to who waits for it."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LIMIT_SECONDS", "LONGEST_LOCK_SECONDS"]

LIMIT_SECONDS: Mapping[str, float] = {
    "start": 180.0,
    "serve": 120.0,
    "stop": 60.0,
    "begin_window": 30.0,
    "end_window": 60.0,
    "begin_trouble": 120.0,
    "end_trouble": 120.0,
    "rows": 30.0,
    "grow_rows": 120.0,
    "begin_statements": 30.0,
    "take_statements": 30.0,
    "end_statements": 30.0,
    "keys": 30.0,
}
"""By command. What it does has limits of its own below these."""

LONGEST_LOCK_SECONDS = 60.0
"""For which tables are locked, a trouble that is over before `begin_trouble` is answered: with the
time that it takes to get the locks it must stay below that command's limit."""
