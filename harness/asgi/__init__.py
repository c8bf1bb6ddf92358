"""The application under test: found, started, overridden, served."""
