"""What checks of load can find is known as a whole."""

from __future__ import annotations

import importlib
import pkgutil

from harness.checks import load


def test_every_kind_that_a_check_of_load_makes_is_among_those_of_the_package() -> None:
    kinds: set[str] = set()
    for found in pkgutil.iter_modules(load.__path__, f"{load.__name__}."):
        module = importlib.import_module(found.name)
        kinds |= {module.KIND} if hasattr(module, "KIND") else set()
        kinds |= getattr(module, "KINDS", frozenset())

    assert kinds == load.KINDS
