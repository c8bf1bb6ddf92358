"""Scenarios for any application, run by Locust by their path."""
