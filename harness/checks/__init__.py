"""Findings: pure functions of what was recorded. Never prints, never touches a database."""
