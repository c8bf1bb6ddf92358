"""Cannot be imported: a package that it needs is not installed."""

import importlib

importlib.import_module("psycopg_that_is_not_there")
app = None
