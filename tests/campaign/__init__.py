"""Tests of the campaign: what probes stand on, and how they are held."""
