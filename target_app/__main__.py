"""`python -m target_app`: serve the application with uvicorn, on its own.

A module of its own because only here a missing setting ends a process.
"""

import argparse

import uvicorn
from pydantic import ValidationError

from target_app.main import create_app


def main() -> None:
    """Parse the address and serve until interrupted; exit code 2 on wrong settings."""
    parser = argparse.ArgumentParser(prog="python -m target_app", description="Serve target_app.")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (%(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port to bind (%(default)s)")
    address = parser.parse_args()
    try:
        app = create_app()
    except ValidationError as error:
        parser.error(str(error))
    uvicorn.run(app, host=address.host, port=address.port)


if __name__ == "__main__":
    main()
