"""A port of its own for a master whose workers ``--processes`` forks.

Locust's is the same for every run on a machine: workers of one run would join the master of
another, and start none of its users. It is said as a default while Locust makes its parser, because
Locust listens before it asks anybody. Free of Locust.
"""

from __future__ import annotations

import os
import socket
import sys
from argparse import ArgumentError, ArgumentParser
from collections.abc import Mapping, Sequence

__all__ = ["forks_its_workers", "give_own_port"]

_NAMED_BY = {
    "worker": "LOCUST_MODE_WORKER",
    "master-port": "LOCUST_MASTER_NODE_PORT",
    "master-bind-port": "LOCUST_MASTER_BIND_PORT",
}
"""What has to do with a master that somebody else started, or knows: option and variable."""


def give_own_port(parser: ArgumentParser, *, reader: ArgumentParser) -> None:
    """Let master and workers of ``--processes`` meet where nobody else listens.

    Args:
        parser: Locust's.
        reader: One that knows no option yet, and reads the configuration files that Locust does.
    """
    if forks_its_workers(sys.argv[1:], os.environ, reader=reader):
        # Of all addresses, as Locust takes it.
        with socket.create_server(("", 0)) as free:
            port = free.getsockname()[1]
        parser.set_defaults(master_bind_port=port, master_port=port)


def forks_its_workers(
    arguments: Sequence[str], environment: Mapping[str, str], *, reader: ArgumentParser
) -> bool:
    """Whether a command starts a master and its workers, and names no port for them.

    Args:
        arguments: Of the command; what is written shorter than it is called is not recognized.
        environment: Which Locust reads as well.
        reader: Gets the options that matter.
    """
    reader.allow_abbrev = reader.exit_on_error = False
    reader.add_argument("--processes", default=environment.get("LOCUST_PROCESSES"))
    reader.add_argument("--worker", action="store_true")
    reader.add_argument("--master-port", default=None)
    reader.add_argument("--master-bind-port", default=None)
    try:
        said = vars(reader.parse_known_args(arguments)[0])
    except ArgumentError:
        return False  # Locust refuses it as well
    is_named = any(
        said[option.replace("-", "_")] or environment.get(variable)
        for option, variable in _NAMED_BY.items()
    )
    return said["processes"] is not None and not is_named
