"""Tests of `harness.checkup`."""
