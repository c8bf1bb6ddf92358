"""This repository's own fixtures: the worked examples of how a project wires the harness."""

pytest_plugins = ["pytester"]
