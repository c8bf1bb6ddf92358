"""Says whether a load run that ended with 3 came to its end, and counted something.

    locust -f loadtests --headless --short || python scripts/load_told.py $?

What is measured is inconclusive on a machine that others use, as CI's are, and that is no failure.
But 3 is also a database that does not start, a rig that died, and a run in which nothing was
loaded. Then there is no report, or its last probe was not run, or not even statements were counted,
for which no machine is too busy. Remove the report of an earlier run before.
Ends with 0 where the run is good enough, else with the code that it was given.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.errors import ExitCode

REPORT = Path("harness-report/load.json")
COUNTED = "n_plus_one"
LAST = "soak"
"""Of a campaign: where it ended early, this one is skipped."""


def main() -> int:
    """Print what is wrong; the exit status."""
    code = int(sys.argv[1])
    if code != ExitCode.ENVIRONMENT:
        return code
    problems = list(_problems())
    for problem in problems:
        print(problem)
    return code if problems else 0


def _problems() -> Iterator[str]:
    if not REPORT.exists():
        yield f"nothing was loaded: there is no {REPORT}"
        return
    told = _verdicts(REPORT)
    if told.get(COUNTED) not in {"pass", "warn"}:
        yield f"{COUNTED} only counts, and is {told.get(COUNTED, 'not told')} all the same"
    if told.get(LAST, "skipped") == "skipped":
        yield f"{LAST}, the last probe, was not run: the campaign ended early"


def _verdicts(report: Path) -> Mapping[str, str]:
    probes = json.loads(report.read_text("utf-8"))["probes"]
    return {probe["probe"]: probe["verdict"] for probe in probes}


if __name__ == "__main__":
    sys.exit(main())
