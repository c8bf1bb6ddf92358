"""The pictures of the reports; what a colour says, a hatch, a marker or a label says too.

Each function returns inline SVG, or an empty string where there is nothing to draw.
"""

from harness.report.charts.exhaustion import exhaustion_timeline
from harness.report.charts.pool import pool_times
from harness.report.charts.sizing import sizing_curve
from harness.report.charts.statements import statements_per_endpoint
from harness.report.charts.timeline import answers_per_second
from harness.report.charts.waiting import wait_against_hold
from harness.report.charts.where_time_goes import where_time_goes

__all__ = [
    "answers_per_second",
    "exhaustion_timeline",
    "pool_times",
    "sizing_curve",
    "statements_per_endpoint",
    "wait_against_hold",
    "where_time_goes",
]
