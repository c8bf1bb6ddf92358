"""Isolation below everything: tests commit into a transaction that is undone."""

from harness.database.rollback.sandbox import Sandbox

__all__ = ["Sandbox"]
