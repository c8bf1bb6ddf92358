"""Tests of the renderers; a package so that its conftest has a name of its own."""
