"""The free part of a product: a flat JSON object of the client's own making, within bounds.

A module of its own because each bound keeps out something that is valid JSON and that a database
or another reader of JSON cannot keep: text with NUL (JSONB refuses it), half of a surrogate pair,
NaN, numbers beyond 2**53, and nesting without end.
"""

from typing import Annotated

from pydantic import Field, StrictBool, StrictFloat, StrictInt

_LARGEST_NUMBER = 2**53 - 1

AttributeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""A name in plain letters: it becomes part of a JSON path."""

AttributeText = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
_WholeNumber = Annotated[StrictInt, Field(ge=-_LARGEST_NUMBER, le=_LARGEST_NUMBER)]
_Number = Annotated[StrictFloat, Field(ge=-_LARGEST_NUMBER, le=_LARGEST_NUMBER)]

Attributes = Annotated[
    dict[AttributeName, AttributeText | StrictBool | _WholeNumber | _Number], Field(max_length=20)
]
"""Up to 20 names with text, numbers and truth values."""
