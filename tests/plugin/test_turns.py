"""A turn that does not come is an error that names both, after the configured time."""

from __future__ import annotations

from tests.plugin.conftest import TABLE, Project

IMPATIENT = TABLE + "wait_seconds = 0.2\n"


def test_waiting_for_a_turn_takes_as_long_as_configured(project: Project) -> None:
    project.configure(table=IMPATIENT)

    result = project.run("""
        import asyncio, re, time
        import pytest
        from sqlalchemy import text
        from harness.errors import SandboxConflictError

        async def test(client, app):
            from shop.database import sessions
            entered, leave = asyncio.Event(), asyncio.Event()

            @app.get("/slow")
            async def slow() -> None:
                async with sessions() as session:
                    await session.execute(text("SELECT 1"))
                    entered.set()
                    await leave.wait()

            request = asyncio.create_task(client.get("/slow"))
            await entered.wait()
            began = time.perf_counter()
            with pytest.raises(SandboxConflictError) as refused:
                await client.get("/authors")
            here = "test_shop.py:14"  # where the other request began its transaction
            assert re.search(
                r"GET /authors \\(begun at shop/main.py:\\d+\\) waited 0.2 s for "
                rf"the transaction of GET /slow \\(begun at {here}\\) to end",
                str(refused.value),
            )
            assert 0.2 <= time.perf_counter() - began < 4
            leave.set()
            await request
    """)

    result.assert_outcomes(passed=1)


def test_tasks_that_wait_for_each_other_are_refused_by_name(project: Project) -> None:
    project.configure(table=IMPATIENT)

    result = project.run("""
        import asyncio
        import pytest
        from sqlalchemy import text
        from harness.errors import SandboxConflictError

        async def test(app):
            from shop.database import sessions
            met = asyncio.Barrier(2)

            async def meet():
                async with sessions() as session:
                    await session.execute(text("SELECT 1"))
                    await met.wait()

            names = ["left", "right"]
            tasks = [asyncio.create_task(meet(), name=name) for name in names]
            with pytest.raises(SandboxConflictError, match="'right' .*meet.* waited .* 'left'"):
                await tasks[1]
            tasks[0].cancel()
            await asyncio.wait(tasks)
    """)

    result.assert_outcomes(passed=1)


def test_threads_of_a_pool_that_wait_for_each_other_are_refused_by_name(project: Project) -> None:
    project.configure(table=IMPATIENT)

    result = project.run("""
        from concurrent.futures import ThreadPoolExecutor
        from threading import Barrier, BrokenBarrierError
        import pytest
        from sqlalchemy import text
        from sqlalchemy.orm import Session
        from harness.errors import SandboxConflictError

        def test(sync_db_session):
            engine, met = sync_db_session.get_bind(), Barrier(2)

            def meet():
                with Session(engine) as session:
                    session.execute(text("SELECT 1"))
                    met.wait(2)

            said = []
            with ThreadPoolExecutor(2, thread_name_prefix="pool") as pool:
                for done in [pool.submit(meet) for _ in range(2)]:
                    try:
                        done.result()
                    except (SandboxConflictError, BrokenBarrierError) as error:
                        said.append(str(error))
            assert any(each.count("the thread 'pool_") == 2 for each in said)
    """)

    result.assert_outcomes(passed=1)
