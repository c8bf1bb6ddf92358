"""The history of the schema; see `env` for how a migration finds its database."""
