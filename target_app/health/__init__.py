"""Health: what an orchestrator asks before it restarts a process or sends it traffic."""

from target_app.health.router import router

__all__ = ["router"]
