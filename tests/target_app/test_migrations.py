"""The migrations run without a database too: `--sql` writes a script."""

import io

from alembic import command
from alembic.config import Config

from target_app.db.startup import ALEMBIC_INI
from target_app.models import Base


def test_offline_mode_writes_every_table_of_the_models() -> None:
    script = io.StringIO()
    config = Config(ALEMBIC_INI, output_buffer=script)
    config.set_main_option("sqlalchemy.url", "postgresql+asyncpg://localhost/blog")

    command.upgrade(config, "head", sql=True)

    created = [
        name for name in Base.metadata.tables if f"CREATE TABLE {name} " in script.getvalue()
    ]
    assert created == list(Base.metadata.tables)
