"""What a health check answers."""

from typing import Literal

from pydantic import BaseModel


class Health(BaseModel):
    """All is well; anything else is an error status."""

    status: Literal["ok"] = "ok"
