"""What a request costs the generator of a load: our user beside Locust's own `FastHttpUser`.

Processor time of Locust's process per request, against a server that always answers the same, in
another process. Alternating pairs; the median of their ratios may be 1.15 at most: what the
generator uses is not there for the application, where both share a machine.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.commandline import load, machine, parser_of, run_to_its_end, write_json
from benchmarks.pytest_process import Failed
from benchmarks.rounds import Progress, interleaved
from harness.served import owned_process

__all__ = ["main"]

_EXAMPLE = """example:
  python benchmarks/generator.py --rounds 20 --json generator.json
"""
_ROUNDS, _SECONDS, _USERS = 12, 4, 8
_MOST = 1.15
_BARE, _OURS = "FastHttpUser", "HarnessUser"
_MEASURED = """
import time
import gevent
from locust import FastHttpUser, constant, events, task

@events.init.add_listener
def look_at_the_clock(**_):
    # gevent's is as old as the last turn of its loop: the imports would count for --run-time.
    gevent.sleep(0.01)

@events.test_start.add_listener
def begin(environment, **_):
    environment.began = time.process_time()

@events.test_stop.add_listener
def end(environment, **_):
    used = time.process_time() - environment.began
    print(f"FIGURES {used} {environment.stats.total.num_requests}", flush=True)
"""
_USERS_OF = {
    _BARE: """
class Reader(FastHttpUser):
    wait_time = constant(0)

    @task
    def front_page(self):
        self.client.get("/posts/7?limit=10", name="GET /posts/{post_id}")
""",
    _OURS: """
from harness.load.users import HarnessUser

class Reader(HarnessUser):
    @task
    def front_page(self):
        self.get("/posts/{post_id}?limit=10", post_id=7)
""",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    options = parser_of(__doc__ or "", example=_EXAMPLE, needs_server=False).parse_args(arguments)

    def program() -> None:
        print(machine(None))
        rounds = options.rounds or (2 if options.quick else _ROUNDS)
        seconds = 1 if options.quick else _SECONDS
        with _target() as url, tempfile.TemporaryDirectory(prefix="harness-") as folder:
            found = interleaved(
                "generator",
                _USERS_OF,
                lambda name: _cpu_per_request(name, url, Path(folder), seconds=seconds),
                rounds=rounds,
                progress=Progress(),
            )
        ratio = _report(found)
        write_json(options.json, None, {"generator": {**found, "ratio": ratio}})
        if ratio > _MOST and not options.quick:
            raise Failed(f"more than {_MOST} times a bare user")

    return run_to_its_end(program)


def _report(found: Mapping[str, Sequence[float]]) -> float:
    for name, seconds in found.items():
        print(f"{name:<14}{statistics.median(seconds) * 1e6:7.1f} µs of processor time per request")
    ratios = [ours / bare for ours, bare in zip(found[_OURS], found[_BARE], strict=True)]
    ratio = statistics.median(ratios)
    print(
        f"{ratio:.3f} times a bare user (median of {len(ratios)} pairs, {min(ratios):.3f} to "
        f"{max(ratios):.3f}; at most {_MOST})"
    )
    print(load("when it ended"))
    return ratio


@contextmanager
def _target() -> Iterator[str]:
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "benchmarks.generator_target"]
    with owned_process(command, environment={"PYTHONPATH": str(root)}) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"


def _cpu_per_request(name: str, url: str, folder: Path, *, seconds: int) -> float:
    script = folder / f"{name.lower()}.py"
    script.write_text(_MEASURED + _USERS_OF[name], encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", str(script), "--headless", "--only-summary"),
            *("--users", str(_USERS), "--spawn-rate", "100", "--run-time", f"{seconds}s"),
            *("--host", url, "--loglevel", "ERROR"),
        ],
        env={**os.environ, "HARNESS_TOKEN": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    figures = re.search(r"FIGURES (\S+) (\d+)", done.stdout)
    if done.returncode or figures is None or not int(figures[2]):
        raise Failed(f"{name} ended with exit code {done.returncode}:\n{done.stdout}")
    return float(figures[1]) / int(figures[2])


if __name__ == "__main__":
    sys.exit(main())
