"""What became of the writes of a stretch of load: keys told to the writers, and found again.

Apart from holding troubles, because whether writes can be looked up has reasons of its own: nobody
has said how, or the database is not ours to ask.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.campaign.asked_keys import keys_by_get
from harness.campaign.ground import Ground
from harness.capture.reckoning import Reckoning, Write, reckon
from harness.config import WriteRoute
from harness.errors import MisuseError
from harness.rig.trouble.refusal import CannotTroubleError

__all__ = ["Ledger", "opened_ledger"]

_NOBODY_SAID = "no [tool.harness.write] says what to write, and how to find it again"
_NOT_OURS = "the database is not ours to ask, and [tool.harness.write] has no `get`"


@dataclass(frozen=True, slots=True)
class Ledger:
    """Knows the keys of each stretch of load.

    Attributes:
        ground: What is loaded.
        route: How writes are sent and found again.
        beginning: Of all keys of this run.
    """

    ground: Ground
    route: WriteRoute
    beginning: str

    @property
    def name(self) -> str:
        """Of the route, as the application counts it."""
        return f"{self.route.method} {self.route.path.partition('?')[0]}"

    def options(self, stretch: str) -> tuple[str, ...]:
        """For the writers of a stretch of load."""
        told = {"method": self.route.method, "path": self.route.path, "body": self.route.body}
        return ("--write", json.dumps(told), "--keys", self._beginning_of(stretch))

    def reckoned(self, stretch: str, writes: tuple[Write, ...]) -> Reckoning:
        """Compare what was answered in a stretch with what is there now.

        Raises:
            HarnessError: Nobody answers who could tell.
        """
        return reckon(writes, self._there(writes, self._beginning_of(stretch)))

    def _beginning_of(self, stretch: str) -> str:
        return f"{self.beginning}{stretch}-"

    def _there(self, writes: tuple[Write, ...], beginning: str) -> Mapping[str, int]:
        rig = self.ground.rig
        if self.route.select and rig is not None:
            return rig.keys(self.route.select, beginning=beginning)
        keys = (write.key for write in writes)
        headers = self.ground.settings.headers
        return keys_by_get(self.ground.url, self.route.get, keys, headers=headers)


def opened_ledger(ground: Ground) -> Ledger | str:
    """A ledger for this run, or why there is none.

    Raises:
        MisuseError: The database does not understand how keys are found.
    """
    route, rig = ground.write, ground.rig
    if route is None:
        return _NOBODY_SAID
    beginning = f"harness-{secrets.token_hex(3)}-"
    if route.select and rig is not None:
        try:
            found = rig.keys(route.select, beginning=beginning)
        except CannotTroubleError as error:  # SQLite
            if not route.get:
                return error.what
            route = replace(route, select="")
        else:
            _require_own_keys(route, found)
    return Ledger(ground, route, beginning) if route.get or rig is not None else _NOT_OURS


def _require_own_keys(route: WriteRoute, found: Mapping[str, int]) -> None:
    if found:
        what = "the select of [tool.harness.write] finds keys that nobody has written yet"
        raise MisuseError(what, where=route.select)
