"""``python -m harness.rig``: started by whoever drives a load probe, never by people."""

from __future__ import annotations

import sys

from harness.rig.process import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
