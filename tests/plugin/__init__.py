"""Tests of the pytest plugin, each of which runs pytest on a small project."""
