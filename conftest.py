"""This repository's own wiring of the harness, and pytest's fixture for testing plugins."""

pytest_plugins = ["fixtures.people", "fixtures.served", "pytester"]
