"""Tests of `harness.rig`."""
