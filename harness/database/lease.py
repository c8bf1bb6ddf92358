"""What another process needs to know to become an owner of a running embedded server.

A value that travels as text: through a pytest-xdist worker's input, a pipe or a command line.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from harness.database.server import ServerAddress

__all__ = ["Lease"]


@dataclass(frozen=True, slots=True)
class Lease:
    """Names a session and how to connect to its server.

    It holds the password of the session: hand it to processes of your own, not to a log.
    """

    folder: str
    address: ServerAddress
    origin: str

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Lease:
        """The lease that `to_json` wrote."""
        content = json.loads(text)
        address = ServerAddress(**content["address"])
        return cls(folder=content["folder"], address=address, origin=content["origin"])
