"""What a verb says on standard error beside its own work; needs rich, which `answer` does not."""

from __future__ import annotations

from rich.console import Console

__all__ = ["complain"]


def complain(text: str) -> None:
    """Say what went wrong beside the verb's own work."""
    Console(stderr=True).print(
        f"harness: {text}", markup=False, highlight=False, soft_wrap=True, emoji=False
    )
