"""Fill the configured environment variables, from which an application reads its database.

A module of its own because pytest's plugin fills them before anything else is there: importing this
one loads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.errors import ConfigurationError

__all__ = ["filled"]


def filled(template: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Put values in the places of their names.

    Args:
        template: Variables as configured, e.g. ``{"DATABASE_URL": "{async_url}"}``.
        values: By placeholder.

    Raises:
        ConfigurationError: If a placeholder is unknown.
    """
    made = {}
    for name, text in template.items():
        try:
            made[name] = text.format_map(values)
        except (KeyError, ValueError, IndexError, AttributeError) as error:
            raise ConfigurationError(
                f"the value of {name} has an unknown placeholder: {text!r}",
                where="[tool.harness.env]",
                remedy=f"placeholders: {', '.join('{' + key + '}' for key in values)}",
            ) from error
    return made
