"""Removes one container: what a session with a container leaves to its reaper to run.

A script of its own, started with ``python -P``: the process that started the container may be gone,
and only the docker package knows every way to an engine (socket, TCP with certificates, SSH).

    argument   the container's name
"""

from __future__ import annotations

import os
import sys
import time

import docker
from docker.errors import APIError, DockerException, NotFound

APPEARANCE_SECONDS = 2.0
"""An owner that is killed while it asks for the container leaves an engine that is still at it."""


def main(name: str) -> None:
    """Remove the container with its volumes, running or not."""
    client = docker.from_env(use_ssh_client=os.environ.get("DOCKER_HOST", "").startswith("ssh://"))
    deadline = time.monotonic() + APPEARANCE_SECONDS
    while True:
        try:
            client.api.remove_container(name, force=True, v=True)
        except NotFound:
            if time.monotonic() > deadline:
                return
            time.sleep(0.1)
        except APIError as error:
            if error.status_code != 409:  # noqa: PLR2004 - the engine: removal is in progress already
                raise
            return
        else:
            return


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except DockerException as error:
        sys.exit(f"harness: the container {sys.argv[1]} could not be removed: {error}")
