"""`benchmarks/probe.py` runs to its end, in 80 columns, and compares what it says it compares."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

from benchmarks.commandline import running_server
from benchmarks.probe_kinds import KINDS, Kind, Place
from benchmarks.probe_report import Pair, lines, overheads
from benchmarks.probe_turns import cpu_seconds, served
from benchmarks.pytest_process import Failed
from harness.database.server import PostgresServer
from harness.errors import ExitCode
from tests.processes import started

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "probe.py"
COLUMNS = 80
WITHIN_SECONDS = 60.0
BY_NAME = {kind.name: kind for kind in KINDS}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def quick(server: PostgresServer, file: Path, *arguments: str) -> tuple[list[str], dict[str, Any]]:
    """What a quick run prints, and what it writes."""
    done = run("--quick", f"--json={file}", f"--postgres={url_of(server)}", *arguments)
    assert done.returncode == ExitCode.CLEAN, done.stdout + done.stderr
    return done.stdout.splitlines(), json.loads(file.read_text(encoding="utf-8"))


def url_of(server: PostgresServer) -> str:
    return server.address.url("postgres").render_as_string(hide_password=False)


def answer(address: str, path: str) -> tuple[dict[str, str], Any]:
    with urlopen(address + path, timeout=10) as response:  # noqa: S310 - our own server
        return dict(response.headers.items()), json.load(response)


def pairs(kind: str, *percents: float) -> list[Pair]:
    return [Pair(kind, 0.001, 0.001 * (1 + percent / 100)) for percent in percents]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One of our own: the one of all tests has other things to do meanwhile."""
    with running_server("auto") as running:
        yield running


@pytest.fixture(scope="module")
def small(server: PostgresServer) -> Iterator[Place]:
    """The small application, not served yet."""
    with BY_NAME["page"].place(server) as place:
        yield place


def test_a_pair_is_measured_for_each_kind_of_request(
    server: PostgresServer, tmp_path: Path
) -> None:
    printed, written = quick(server, tmp_path / "figures")

    assert [pair["kind"] for pair in written["pairs"]] == ["browse", "row", "page"]
    assert all(pair["without"] > 0 < pair["probed"] for pair in written["pairs"])
    assert written["overhead"].keys() == {"browse", "row", "page"}
    assert max(map(len, printed)) <= COLUMNS


def test_only_the_kinds_that_are_named_are_measured(server: PostgresServer, tmp_path: Path) -> None:
    named = ["--kind=page", "--kind=row"]

    _, written = quick(server, tmp_path / "figures", *named)

    assert [pair["kind"] for pair in written["pairs"]] == ["row", "page"]


def test_ctrl_c_leaves_no_served_application_behind(
    server: PostgresServer, unmeasured_environment: Mapping[str, str]
) -> None:
    command = [sys.executable, str(PROGRAM), "--kind=row", f"--postgres={url_of(server)}"]
    with started(command, environment=unmeasured_environment) as process:
        until = time.monotonic() + WITHIN_SECONDS
        while not (served_by := psutil.Process(process.pid).children()):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)

        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == ExitCode.INTERRUPTED, errors
    _, left = psutil.wait_procs(served_by, timeout=WITHIN_SECONDS)
    assert left == []


def test_an_unknown_kind_is_refused_with_those_that_there_are() -> None:
    done = run("--kind", "brows")

    assert done.returncode == ExitCode.MISUSE
    assert "browse" in done.stderr
    assert done.stdout == ""


def test_help_has_an_example_in_80_columns() -> None:
    told = run("--help").stdout

    assert "example:\n  python benchmarks/probe.py " in told
    assert max(map(len, told.splitlines())) <= COLUMNS


def test_a_turn_of_browse_has_the_weights_of_the_scenario() -> None:
    paths = BY_NAME["browse"].paths(100)

    assert Counter(path if "?" in path else path.rstrip("0123456789") for path in paths) == {
        "/posts?limit=10": 54,
        "/posts/": 27,
        "/users?limit=10": 9,
        "/tags": 9,
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_turn_has_the_same_requests(kind: Kind) -> None:
    assert kind.paths(20) == kind.paths(20)


def test_the_measuring_process_is_not_patched_by_gevent() -> None:
    program = "import sys, benchmarks.probe_kinds as it; it.KINDS[0].paths(11); print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert {"locust", "gevent"}.isdisjoint(done.stdout.split())


def test_browse_is_answered_by_the_reference_application_with_its_sample_rows(
    server: PostgresServer,
) -> None:
    browse = BY_NAME["browse"]
    with browse.place(server) as place, served(place, is_probed=False) as address:
        _, posts = answer(address, "/posts?limit=10")
        spent = cpu_seconds(address, browse.paths(11))

    assert [post["author"]["id"] for post in posts] == list(range(1, 11))
    assert spent > 0


@pytest.mark.parametrize("is_probed", [True, False], ids=["with the probe", "without"])
def test_one_of_a_pair_has_the_probe(small: Place, *, is_probed: bool) -> None:
    with served(small, is_probed=is_probed) as address:
        headers, _ = answer(address, "/authors/1")

    assert ("server-timing" in headers) is is_probed


@pytest.mark.parametrize(
    ("path", "said"), [("/authors/1000000", "404 Not Found"), ("/pages/1000000", "no rows")]
)
def test_a_cheap_answer_is_not_measured(small: Place, path: str, said: str) -> None:
    with served(small, is_probed=False) as address, pytest.raises(Failed, match=said):
        cpu_seconds(address, ["/authors/1", path])


def test_the_overhead_is_the_median_of_the_pairs_ratios() -> None:
    """Of which the second was measured while the machine was slow, for both alike."""
    measured = [Pair("row", 0.001, 0.00102), Pair("row", 0.01, 0.0103), Pair("row", 0.001, 0.0011)]

    assert overheads(measured) == {"row": pytest.approx(0.03)}


def test_the_verdicts_say_which_kinds_met_the_target() -> None:
    measured = [*pairs("browse", 1, 2.9, 9), *pairs("row", 0, 3.1, 4)]

    told = list(lines(measured))

    assert told[-2:] == [
        "  met     browse  +2.9% (+1.0% to +9.0%)",
        "  MISSED  row     +3.1% (+0.0% to +4.0%)",
    ]


def test_one_pair_is_no_verdict() -> None:
    told = list(lines(pairs("row", 9)))

    assert told[-1].strip() == "One pair says nothing about the noise."
