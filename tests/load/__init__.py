"""Tests of `harness.load`."""
