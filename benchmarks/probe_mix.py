"""What the readers of `loadtests/browse.py` request, as a list of paths: a program of its own.

It runs the tasks of the Locust class itself, each as often as it weighs, on a user that only notes
what it is told to get, so that the mix is written down once. A process of its own because importing
Locust patches the process: `python -m benchmarks.probe_mix 100` prints about so many paths as JSON.
"""

from __future__ import annotations

import json
import random
import sys
from importlib import import_module
from typing import Any

__all__ = ["mix"]


class _Noting:
    """Stands for a user of Locust."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def get(self, template: str, **values: object) -> None:
        """Note a path where a user would request it."""
        self.paths.append(template.format(**values))


def mix(requests: int) -> list[str]:
    """Paths in a random order that is always the same.

    Args:
        requests: About how many; every task comes exactly as often as it weighs.
    """
    # By name: mypy knows the stories as modules of their own, their folder is no package.
    weighed: list[Any] = import_module("loadtests.browse").Browse.tasks
    random.seed(0)  # the tasks draw their rows from the same generator
    noting = _Noting()
    tasks = weighed * max(1, round(requests / len(weighed)))
    random.shuffle(tasks)
    for task in tasks:
        task(noting)
    return noting.paths


if __name__ == "__main__":
    print(json.dumps(mix(int(sys.argv[1]))))
