"""From readings of the probe's status at both ends of a stretch of load to the facts of it.

Everything in a status only grows, so a stretch is the difference of two readings; this module takes
the differences of all processes, and adds what others have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from harness.capture.growth import Growth, Json, source_line
from harness.capture.processes_read import ProcessesRead
from harness.capture.route_differences import route_windows
from harness.capture.windows import (
    ClientWindow,
    LoadWindow,
    LoopWindow,
    MachineWindow,
    OutstandingCheckout,
    PoolWindow,
    ServerWindow,
    Stall,
    StallCause,
    UnreadProcess,
)

__all__ = ["load_window"]

_NOBODY: Mapping[int, Json] = MappingProxyType({})


def load_window(
    *,
    seconds: float,
    client: ClientWindow,
    before: Mapping[int, Json],
    after: Mapping[int, Json],
    at_rest: Mapping[int, Json] = _NOBODY,
    silent: Sequence[UnreadProcess] = (),
    server: ServerWindow | None = None,
    machine: MachineWindow | None = None,
) -> LoadWindow:
    """What one stretch of load looked like.

    A process that began meanwhile counts from nothing, also where it has the id of an earlier one.
    One that was there and did not tell its counts at either end has no difference: it is one of the
    `processes`, which are the most that there were at one of the ends, and of the `unread` ones.
    Without a reading, as of a target that has no probe, there are no processes, pools and routes.

    Args:
        seconds: How long it was.
        client: What the generator saw.
        before: The status of each process as it began, by process id.
        after: As it ended.
        at_rest: When all clients had left and connections had had time to come back.
        silent: Processes that did not answer, once for each of these readings.
        server: What the database server did meanwhile.
        machine: What ran beside it.
    """
    read = ProcessesRead(seconds, before, after, at_rest, silent)
    processes = tuple(read.growths())
    cpu = [process.seconds("cpu_seconds") for process in processes]
    threads, thread_limit = _threads(processes)
    return LoadWindow(
        seconds=seconds,
        processes=read.count,
        process_cpu=_share(max(cpu, default=0.0), seconds),
        cpu_seconds=sum(cpu),
        client=client,
        pools=tuple(pool for process in processes for pool in _pools(process, seconds)),
        routes=route_windows(processes),
        loop=_loop(processes),
        server=server,
        machine=machine,
        outstanding=tuple(
            _outstanding(told) for status in at_rest.values() for told in status["outstanding"]
        ),
        thread_limit=thread_limit,
        peak_threads_waiting=threads,
        unread=read.unread(),
    )


def _pools(process: Growth, seconds: float) -> Iterator[PoolWindow]:
    """The pools of a process.

    A pool has the same name in every process: by it checks know that routes which were seen in
    different processes take from one pool, and look for its peak in all of them.
    """
    earlier = {pool["name"]: pool for pool in process.before.get("pools", ())}
    for told in process.after["pools"]:
        yield _pool(Growth(told, earlier.get(told["name"], {})), seconds)


def _pool(pool: Growth, seconds: float) -> PoolWindow:
    told = pool.after
    return PoolWindow(
        name=told["name"],
        size=told["size"],
        max_overflow=told["max_overflow"],
        timeout_seconds=told["timeout_seconds"],
        checkouts=pool.count("checkouts"),
        timeouts=pool.count("timeouts"),
        creations=pool.count("creations"),
        closed=_closed(pool),
        reclaimed=pool.count("reclaimed"),
        peak_checked_out=pool.peak("checked_out_at", now="checked_out"),
        peak_waiting=pool.peak("waiting_at", now="waiting"),
        waiting_share=min(_share(pool.seconds("waiting_seconds"), seconds), 1.0),
        wait=pool.histogram("wait").distribution(),
        hold=pool.histogram("hold").distribution(),
        busy_seconds=pool.seconds("busy_seconds"),
    )


def _closed(pool: Growth) -> int | None:
    """Of what was open at first or made meanwhile, what is not open any more."""
    if "open" not in pool.after:
        return None  # the target has the probe of an earlier version
    return max(pool.count("creations") - pool.count("open"), 0)


def _loop(processes: Sequence[Growth]) -> LoopWindow:
    """The stalls of all processes: one that waits must not hide behind one that was suspended."""
    loops = [process.part("loop") for process in processes]
    lags = [loop.histogram("lag").distribution() for loop in loops]
    stalls = (
        replace(stall, lag_p99_seconds=lag.p99_seconds)
        for loop, lag in zip(loops, lags, strict=True)
        for stall in _stalls(loop)
    )
    if not lags:
        return LoopWindow()
    return LoopWindow(max(lags, key=lambda lag: lag.p99_seconds), tuple(stalls))


def _stalls(loop: Growth) -> Iterator[Stall]:
    earlier = {_place(told): told for told in loop.before.get("stalls", ())}
    for told in loop.after["stalls"]:
        stall = Growth(told, earlier.get(_place(told), {}))
        count, seconds = stall.count("count"), stall.seconds("seconds")
        if count:
            yield Stall(
                cause=StallCause(told["cause"]),
                count=count,
                seconds=seconds,
                longest_seconds=_longest(stall, seconds / count),
                route=told["route"],
                site=source_line(told["site"]),
            )


def _place(stall: Json) -> tuple[Any, ...]:
    """What tells stalls apart; the line is the one seen most often so far, which may change."""
    site = stall["site"] or {}
    return stall["cause"], stall["route"], site.get("path"), site.get("function")


def _longest(stall: Growth, mean_seconds: float) -> float:
    """The longest one; where an earlier one was longer, what it was at least: nobody is accused."""
    longest: float = stall.after["longest_seconds"]
    return longest if longest > stall.before.get("longest_seconds", 0.0) else mean_seconds


def _threads(processes: Sequence[Growth]) -> tuple[int, int | None]:
    """How many requests waited for a thread, and for one of how many, where most did."""
    told = [process.part("threads") for process in processes if process.after["threads"]]
    waiting = [(threads.peak("waiting_at"), threads.after["total"]) for threads in told]
    return max(waiting, key=lambda each: each[0], default=(0, None))


def _outstanding(told: Json) -> OutstandingCheckout:
    return OutstandingCheckout(
        pool=told["pool"],
        route=told["route"],
        has_request_ended=told["has_request_ended"],
        is_owner_running=told["is_owner_running"],
        age_seconds=told["age_seconds"],
        site=source_line(told["site"]),
    )


def _share(part: float, seconds: float) -> float:
    return part / seconds if seconds > 0 else 0.0
