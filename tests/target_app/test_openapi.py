"""The application keeps what its OpenAPI document promises, whatever it is asked.

schemathesis makes requests from the document, valid ones and others, against the served application
on PostgreSQL. The number of examples bounds the time; they are the same in every run.
"""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from target_app.main import create_app
from target_app.settings import Settings

EXAMPLES_PER_OPERATION = 15
# Not among them: that valid data is accepted (an id of nobody is valid), that other data is not
# (pydantic takes false for 0), and what Starlette's router makes of other methods.
PROMISES = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)

healthy = create_app(Settings(database_url="postgresql+asyncpg://nobody@localhost/nothing"))
document = schemathesis.openapi.from_dict(healthy.openapi())


@document.parametrize()
@settings(
    max_examples=EXAMPLES_PER_OPERATION,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_the_document_describes(case: Case[Any], served: str) -> None:
    case.call_and_validate(base_url=served, checks=list(PROMISES))
