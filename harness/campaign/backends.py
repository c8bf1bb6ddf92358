"""The application's connections as its server counts them: what pools do not tell is seen here."""

from __future__ import annotations

from harness.rig.client import Rig

__all__ = ["backends_of"]

_BACKENDS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
AND backend_type = 'client backend' AND NOT starts_with(application_name, 'harness')
"""


def backends_of(rig: Rig) -> int:
    """How many processes of the server serve the application; those of the harness are left out.

    Raises:
        HarnessError: The rig, or the server, does not answer.
    """
    return rig.rows(_BACKENDS)
