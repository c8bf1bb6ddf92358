"""`python -m target_app.db`: look at the database, create its tables, fill them.

A module of its own because only here a failure becomes an exit code: 0 done, 1 the database
cannot be used or the command refuses it, 2 wrong arguments or settings, 130 interrupted.
"""

import argparse
import asyncio
from collections.abc import Coroutine

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from target_app.db.commands import create, fill, verify
from target_app.db.seed import FEWEST_ROWS
from target_app.db.startup import DatabaseNotReadyError
from target_app.db.tables import RefusedError
from target_app.settings import Settings, explain, get_settings

_INTERRUPTED = 130  # as a shell has it for Ctrl-C: nothing was committed
_EXAMPLE = """
example, a first look on a file of SQLite:
  export TARGET_APP_DATABASE_URL=sqlite+aiosqlite:///shop.db
  python -m target_app.db create
  python -m target_app.db seed --rows 1000
"""


def main() -> None:
    """Run one command and end the process with its exit code."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.command == "seed" and arguments.rows < FEWEST_ROWS:
        parser.error(f"--rows {arguments.rows} is too few, the least is {FEWEST_ROWS}")
    try:
        asyncio.run(_chosen(arguments, get_settings()))
    except ValidationError as error:
        parser.exit(2, f"{parser.prog}: {explain(error)}\n")
    except (DatabaseNotReadyError, RefusedError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    except DBAPIError as error:  # locked, full, shut down meanwhile
        parser.exit(1, f"{parser.prog}: {error.orig}\n")
    except KeyboardInterrupt:
        parser.exit(_INTERRUPTED)


def _chosen(arguments: argparse.Namespace, settings: Settings) -> Coroutine[None, None, None]:
    match arguments.command:
        case "verify":
            return verify(settings)
        case "create":
            return create(settings)
        case _:
            return fill(settings, rows=arguments.rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m target_app.db",
        description="Look after the database that TARGET_APP_DATABASE_URL names.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("verify", help="connect, and say what is there")
    commands.add_parser("create", help="create all tables without migrations (development only)")
    seeding = commands.add_parser("seed", help="fill empty tables (development only)")
    seeding.add_argument(
        "--rows", type=int, default=10, help="rows per table, at least (%(default)s)"
    )
    return parser


if __name__ == "__main__":
    main()
