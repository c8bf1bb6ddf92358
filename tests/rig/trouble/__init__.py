"""Tests of `harness.rig.trouble`."""
