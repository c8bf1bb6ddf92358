"""Runs a command with a container engine: the one of this machine, or one made for the command.

    python scripts/container_engine.py pytest -q tests/database/test_container.py

Where no engine answers, root on Debian gets one: Debian's packages are unpacked into the user's
cache folder, not installed, and the engine keeps everything in a temporary folder, with a bridge of
its own and without touching the firewall. When the command ends, engine, bridge and folder are
gone.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import docker
from docker.errors import DockerException
from filelock import FileLock
from platformdirs import user_cache_path
from postgres_image import import_image

APPLICATION = "fastapi-sqlalchemy-harness"
PACKAGES = ("docker.io", "debootstrap", "iproute2")
ENGINE_START_SECONDS = 30.0
ENGINE_STOP_SECONDS = 15.0
SOCKET = Path("/var/run/docker.sock")
IMAGE = "CONTAINER_TEST_IMAGE"


def main(command: list[str]) -> int:
    """Run the command; its exit code is ours."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with ExitStack() as stack:
        environment = dict(os.environ)
        if "DOCKER_HOST" in environment or SOCKET.is_socket():
            print("Containers run on the engine of this machine.", flush=True)
        elif os.geteuid() == 0 and shutil.which("apt-get"):
            environment |= stack.enter_context(_engine_of_our_own())
        else:
            print("No container engine: start one, or be root on Debian to get one.", flush=True)
        return _run(command, environment)


def _run(command: list[str], environment: Mapping[str, str]) -> int:
    """Ctrl-C reaches the command by itself; we wait for its end and clear away."""
    with subprocess.Popen(command, env=environment) as process:
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            return process.wait()
        finally:
            process.terminate()
            signal.signal(signal.SIGINT, before)


@contextmanager
def _engine_of_our_own() -> Iterator[dict[str, str]]:
    started = time.monotonic()
    cache = user_cache_path(APPLICATION) / "container-engine"
    cache.parent.mkdir(
        mode=0o700, parents=True, exist_ok=True
    )  # initialised clusters lie there too
    cache.mkdir(exist_ok=True)
    with FileLock(cache / "lock"):
        tools = _with_programs(cache / f"programs-{_codename()}-{platform.machine()}")
    with _bridge(tools) as bridge, _daemon(tools, bridge) as host:
        client = docker.DockerClient(base_url=host)
        with contextlib.closing(client), FileLock(cache / "lock"):
            image = import_image(client, cache, tools)
        print(f"Engine and {image} ready after {time.monotonic() - started:.0f} s", flush=True)
        yield {
            "DOCKER_HOST": host,
            IMAGE: image,
            # Ryuk is an image of a registry; and 127.0.0.1 is where this engine publishes ports.
            "TESTCONTAINERS_RYUK_DISABLED": "true",
            "TESTCONTAINERS_HOST_OVERRIDE": "127.0.0.1",
            "TESTCONTAINERS_CONNECTION_MODE": "docker_host",
        }


def _with_programs(folder: Path) -> dict[str, str]:
    """The environment in which dockerd and debootstrap are found, unpacked now or earlier."""
    if not folder.exists():
        print(f"Unpacking {', '.join(PACKAGES)} into {folder} (once)", flush=True)
        building = Path(tempfile.mkdtemp(dir=folder.parent))
        try:
            _unpack(building)
            building.rename(folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    libraries = sorted({str(path.parent) for path in folder.glob("**/lib*.so*")})
    programs = [str(folder / part) for part in ("usr/sbin", "usr/bin", "sbin", "bin")]
    return {
        **os.environ,
        "PATH": os.pathsep.join([os.environ["PATH"], *programs, "/usr/sbin", "/sbin"]),
        "LD_LIBRARY_PATH": os.pathsep.join(libraries),
        "DEBOOTSTRAP_DIR": str(folder / "usr/share/debootstrap")
        if (folder / "usr/share/debootstrap").exists()
        else "/usr/share/debootstrap",
    }


def _unpack(folder: Path) -> None:
    """Download what this machine lacks of the packages and their needs, without installing it."""
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True)
    apt = [
        "apt-get",
        "-qq",
        "-o",
        f"Dir::Cache::archives={archives}",
        "-o",
        "APT::Sandbox::User=root",
    ]
    subprocess.run([*apt, "update"], check=True)
    download = ["install", "--yes", "--download-only", "--no-install-recommends"]
    subprocess.run([*apt, *download, *PACKAGES], check=True, stdout=subprocess.DEVNULL)
    for archive in archives.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", archive, folder], check=True)
    shutil.rmtree(archives)
    # A quarter of a gigabyte, of which an engine that others speak to needs half.
    for unneeded in ("usr/bin/docker", "usr/bin/ctr", "usr/share/doc", "usr/share/man"):
        path = folder / unneeded
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@contextmanager
def _bridge(environment: Mapping[str, str]) -> Iterator[str]:
    name = f"harness{secrets.token_hex(3)}"
    subprocess.run(
        ["ip", "link", "add", "name", name, "type", "bridge"], env=environment, check=True
    )
    try:
        yield name
    finally:
        subprocess.run(["ip", "link", "delete", name], env=environment, check=True)


@contextmanager
def _daemon(environment: Mapping[str, str], bridge: str) -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="harness-engine-"))
    host, log = f"unix://{folder}/docker.sock", folder / "log"
    command = [
        "dockerd",
        *("--host", host, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"),
        *("--pidfile", f"{folder}/pid", "--bridge", bridge),
        # Published ports need no more than its proxy: the firewall and forwarding stay as they are.
        *("--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"),
    ]
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                env=environment,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C ends the tests first, with their containers
            )
        with process:
            try:
                _wait_for(host, process, log)
                yield host
            finally:
                _stop(process)
    finally:
        _unmount_below(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _unmount_below(folder: Path) -> None:
    """An engine that had to be killed leaves mounts, and a mounted folder cannot be removed."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in reversed(mounted):
        if Path(place).is_relative_to(folder):
            subprocess.run(["umount", "--lazy", place], check=False)


def _wait_for(host: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + ENGINE_START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if Path(host.removeprefix("unix://")).is_socket():
            with suppress(DockerException), contextlib.closing(docker.DockerClient(host)) as client:
                client.ping()
                return
        time.sleep(0.1)
    raise SystemExit(f"The container engine did not start:\n{log.read_text()[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(ENGINE_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _codename() -> str:
    return platform.freedesktop_os_release()["VERSION_CODENAME"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
