"""Holds what a load probe needs beside its generator, in a process of its own.

PostgreSQL server, database, the served application, the watchers of server and machine, and what
can be done to them. Locust's process is patched by gevent and runs neither asyncio nor drivers, so
it drives this one through pipes (`client`); whatever the rig has started ends with it.
"""

from __future__ import annotations
