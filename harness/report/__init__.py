"""Words for what a checkup found out: the contract here, one renderer per submodule.

Renderers are imported by name where they are used (`harness.report.text`, `harness.report.json`,
`harness.report.html`), so that importing this package loads none of rich, jinja2 and matplotlib.
"""

from harness.report.content import (
    Distribution,
    EndpointRow,
    ExhaustionStory,
    LoadStory,
    Outcome,
    PoolRow,
    Report,
    RequestOutcome,
    RouteRow,
)

__all__ = [
    "Distribution",
    "EndpointRow",
    "ExhaustionStory",
    "LoadStory",
    "Outcome",
    "PoolRow",
    "Report",
    "RequestOutcome",
    "RouteRow",
]
