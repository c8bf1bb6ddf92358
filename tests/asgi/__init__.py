"""Tests of the application's side: found, started, overridden, served."""
