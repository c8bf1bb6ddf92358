"""`python -m target_app`: serve the application with uvicorn, on its own.

A module of its own because only here a missing setting or database ends a process: exit code 2
for wrong arguments or settings, 3 for a database that the application cannot work with (as
uvicorn does it), 0 after Ctrl-C.
"""

import argparse
import asyncio

import uvicorn
from pydantic import ValidationError

from target_app.db import open_database
from target_app.db.startup import DatabaseNotReadyError, check_database
from target_app.main import create_app
from target_app.settings import Settings, explain, get_settings

_START_UP_FAILED = 3
_HIGHEST_PORT = 65_535


def main() -> None:
    """Parse the address and serve until interrupted."""
    parser = _parser()
    address = parser.parse_args()
    if not 0 <= address.port <= _HIGHEST_PORT:
        parser.error(f"--port {address.port} is not from 0 to {_HIGHEST_PORT}")
    try:
        settings = get_settings()
        asyncio.run(_check(settings))
    except ValidationError as error:
        parser.exit(2, f"{parser.prog}: {explain(error)}\n")
    except DatabaseNotReadyError as error:
        parser.exit(_START_UP_FAILED, f"{parser.prog}: {error}\n")
    except KeyboardInterrupt:
        return
    uvicorn.run(create_app(settings), host=address.host, port=address.port)


async def _check(settings: Settings) -> None:
    # The lifespan checks again. Its exception would reach a terminal only as a stack trace with
    # the words at the end: Starlette formats it, uvicorn logs it.
    async with open_database(settings) as database:
        await check_database(database.engine)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m target_app",
        description="Serve target_app.",
        epilog="example: python -m target_app --port 8080",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=8000, help="port to bind, 0 for any free one (%(default)s)"
    )
    return parser


if __name__ == "__main__":
    main()
