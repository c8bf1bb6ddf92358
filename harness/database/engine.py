"""The engine that runs containers, and what its refusals mean for somebody who wants to run tests.

A module of its own because an engine fails in a dozen ways that all arrive as one exception with a
sentence of Go in it: not installed, not running, not ours to use, no such image, no network.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import RequestException
from testcontainers.core.docker_client import DockerClient, get_docker_host

from harness.errors import NoPostgresError, ServerStartError

if TYPE_CHECKING:
    from docker import DockerClient as Client
    from docker.models.images import Image

__all__ = ["engine_at_work", "engine_client", "image_on_engine"]

LOCAL = "unix://"
DEFAULT_SOCKET = f"{LOCAL}/var/run/docker.sock"
PROGRAMS = ("docker", "dockerd", "podman")
RYUK = "ryuk"
EXPLANATION_LETTERS = 300


@contextmanager
def engine_client() -> Iterator[Client]:
    """A connection to the engine that testcontainers would use.

    Raises:
        NoPostgresError: There is none; the message says whether it is missing, stopped or closed
            to this user.
    """
    host = get_docker_host() or DEFAULT_SOCKET
    try:
        _knock(host)
        client = DockerClient().client
    except (DockerException, RequestException, OSError) as error:
        raise _unreachable(host, error) from error
    try:
        yield client
    finally:
        client.close()


def image_on_engine(client: Client, name: str) -> Image:
    """The image, pulled if it is not there yet.

    Raises:
        NoPostgresError: The image cannot be had.
    """
    try:
        return client.images.get(name)
    except NotFound:
        pass
    except APIError as error:
        raise _no_image(name, error) from error
    try:
        return client.images.pull(name)
    except (DockerException, RequestException) as error:
        raise _no_image(name, error) from error


@contextmanager
def engine_at_work(image: str) -> Iterator[None]:
    """Turn what the engine says while it makes a container into our error.

    Raises:
        ServerStartError: The engine refused.
    """
    try:
        yield
    except (DockerException, RequestException) as error:
        said = _explanation(error)
        what = f"The container engine does not start {image!r}: {said}"
        remedy = "Is it an image of PostgreSQL? Set `image` in [tool.harness], or HARNESS_IMAGE."
        if RYUK in said:
            remedy = "TESTCONTAINERS_RYUK_DISABLED=true does without: the harness ends its own."
        raise ServerStartError(what, remedy=remedy) from error


def _knock(host: str) -> None:
    """See whether a local engine answers; the docker package would leave its socket unclosed."""
    if host.startswith(LOCAL):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(host.removeprefix(LOCAL))


def _unreachable(where: str, error: Exception) -> NoPostgresError:
    causes = list(_causes(error))
    if any(isinstance(cause, PermissionError) for cause in causes):
        what = f"This user may not use the container engine at {where}."
        remedy = "sudo usermod -aG docker $USER, then log in again"
    elif not any(isinstance(cause, OSError) for cause in causes):
        what = f"The container engine at {where} cannot be used: {_explanation(error)}"
        remedy = "Correct DOCKER_HOST, or unset it for the engine of this machine."
    elif where != DEFAULT_SOCKET or any(map(shutil.which, PROGRAMS)):
        what = f"The container engine does not run: nothing answers at {where}."
        remedy = "start it: sudo systemctl start docker, or Docker Desktop; or set DOCKER_HOST"
    else:
        what = "Docker is not installed, and DOCKER_HOST names no engine elsewhere."
        remedy = "install an engine: https://docs.docker.com/engine/install"
    return NoPostgresError(what, remedy=remedy)


def _no_image(name: str, error: Exception) -> NoPostgresError:
    said = _explanation(error)
    if "invalid reference" in said:
        what = f"{name!r} cannot be the name of an image: {said}"
        remedy = 'Correct `image` in [tool.harness] or HARNESS_IMAGE: "postgres:18-alpine"'
    elif isinstance(error, NotFound):
        what = f"There is no image {name!r}, or it may not be pulled: {said}"
        remedy = "Correct `image` in [tool.harness] or HARNESS_IMAGE, or docker login."
    else:
        what = f"The image {name!r} is not on this machine and cannot be pulled: {said}"
        remedy = f"docker pull {name} while there is a network, or set `image` to one that is here"
    return NoPostgresError(what, remedy=remedy)


def _explanation(error: Exception) -> str:
    """The engine's own words, without the address of its HTTP interface."""
    said: Any = getattr(error, "explanation", None) or error
    if isinstance(said, bytes):
        said = said.decode(errors="replace")
    return " ".join(str(said).split())[:EXPLANATION_LETTERS]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that led to it; requests is an OSError itself, so it does not count."""
    while error is not None:
        if not isinstance(error, RequestException):
            yield error
        error = error.__cause__ or error.__context__
