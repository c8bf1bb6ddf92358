"""Where a PostgreSQL comes from, and how tests are kept apart on it."""
