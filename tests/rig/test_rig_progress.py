"""What the rig says on its way is read to the end, whatever becomes of it."""

from __future__ import annotations

import subprocess
import sys

from harness.rig.client import Rig

_SAYS = "import sys; print('one', 'two', 'three', sep='\\n', file=sys.stderr)"


def test_a_line_that_cannot_be_shown_does_not_end_the_listening() -> None:
    shown: list[str] = []

    def show(line: str) -> None:
        if line == "one":
            raise ValueError(line)
        shown.append(line)

    with subprocess.Popen(
        [sys.executable, "-c", _SAYS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        rig = Rig(process, show)
        rig.listen()
        process.wait(timeout=60)
        rig.hang_up()

    assert shown == ["two", "three"]
