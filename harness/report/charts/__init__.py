"""The three pictures of a report; what a colour says, a hatch, a marker or a label says too.

Each function returns inline SVG, or an empty string where there is nothing to draw.
"""

from harness.report.charts.exhaustion import exhaustion_timeline
from harness.report.charts.pool import pool_times
from harness.report.charts.statements import statements_per_endpoint

__all__ = ["exhaustion_timeline", "pool_times", "statements_per_endpoint"]
