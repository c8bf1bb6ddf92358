"""Rows for every table of a schema that nobody has described: n of each, each with own parents.

What a project writes itself is better; this is for what has to be examined before anybody wrote
anything. Structure is read from the database, meaning (enums, defaults, types, identities of
subclasses) from the application's models, and what neither says is tried on the server.
"""

from harness.database.populate.models import Models
from harness.database.populate.population import Filled, Population, populate

__all__ = ["Filled", "Models", "Population", "populate"]
