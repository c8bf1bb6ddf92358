"""Load probes, one after the other: served, loaded, watched, judged, put into one report.

Free of Locust, which runs as a child process for each stretch of load (`traffic.py`); whatever
needs a driver or a server is in the rig (`harness.rig`).
"""
