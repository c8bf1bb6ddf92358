"""A process that gevent has patched drives the rig, and lets its greenlets run meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_DRIVER = """
from gevent import monkey
monkey.patch_all()
import sys
import time
from pathlib import Path
import gevent
from harness.errors import MisuseError
from harness.rig.client import rig_process

longest = 0.0

def tick():
    global longest
    while True:
        before = time.monotonic()
        gevent.sleep(0.05)
        longest = max(longest, time.monotonic() - before)

with rig_process() as rig:
    longest = 0.0
    ticking = gevent.spawn(tick)
    began = time.monotonic()
    rig.start(Path(sys.argv[1]))
    rig.serve()
    waited = time.monotonic() - began
    answers = [gevent.spawn(rig.rows, f"SELECT {number}") for number in range(5)]
    gevent.joinall(answers)
    try:
        rig.begin_trouble("none")
    except MisuseError:
        print("refused")
    print("rows", [answer.value for answer in answers])
    print("ticked", longest < waited / 2)
    ticking.kill()
"""


def test_a_patched_process_drives_a_rig_while_its_greenlets_run(project: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", _DRIVER, str(project)],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert ended.stdout.splitlines() == ["refused", "rows [0, 1, 2, 3, 4]", "ticked True"], (
        ended.stdout + ended.stderr
    )
    assert ended.returncode == 0
