"""What a rig does to a server and its network, and that the application comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import MisuseError
from harness.pool_choice import PoolChoice
from harness.rig.client import Rig, rig_process
from harness.rig.trouble.refusal import CannotTroubleError
from tests.rig.conftest import own_server
from tests.rig.projects import posted

SMALL = PoolChoice(pool_size=2, max_overflow=0, pool_timeout=0.2)


def interrupted(rig: Rig) -> None:
    """As by Ctrl-C, which reaches the rig as well."""
    rig.process.kill()
    raise KeyboardInterrupt


def test_killed_backends_are_told_and_the_application_works_on(rig: Rig) -> None:
    serving = rig.serve()
    posted(serving)
    with rig.trouble("backends-killed") as facts:
        posted(serving)

    assert len(facts["killed"]) == 1
    assert posted(serving).status_code == 200


def test_a_cut_network_is_felt_by_the_application_and_not_by_the_rig(rig: Rig) -> None:
    serving = rig.serve(SMALL, is_proxied=True)
    posted(serving)
    with rig.trouble("network", existing="reset", new="reset"):
        statuses = [posted(serving).status_code for _ in range(3)]
        rows = rig.rows("SELECT count(*) FROM notes")

    assert statuses == [500, 500, 500]
    assert rows > 0
    assert posted(serving).status_code == 200


def test_a_network_that_nobody_stands_in_cannot_be_cut(rig: Rig) -> None:
    rig.serve()

    with pytest.raises(CannotTroubleError, match="connected to its server directly"):
        rig.begin_trouble("network", new="reset")


def test_a_restarted_server_is_the_same_and_watched_on(rig: Rig) -> None:
    serving = rig.serve()
    rows = rig.rows("SELECT count(*) FROM notes")
    with rig.trouble("server-restarted"):
        pass
    posted(serving)  # on the connection that the restart has ended
    posted(serving)

    assert rig.rows("SELECT count(*) FROM notes") > rows


def test_an_unknown_trouble_names_those_that_there_are(rig: Rig) -> None:
    with pytest.raises(MisuseError, match="there is no trouble 'flood'") as raised:
        rig.begin_trouble("flood")

    assert "backends-killed" in str(raised.value)


def test_an_option_that_a_trouble_does_not_have_is_misuse(rig: Rig) -> None:
    with pytest.raises(MisuseError, match="'tables-locked' cannot be made so"):
        rig.begin_trouble("tables-locked", minutes=1)


def test_with_its_own_connections_taken_an_application_has_none(rig: Rig) -> None:
    serving = rig.serve(is_proxied=True)
    posted(serving).raise_for_status()

    with rig.trouble("connections-taken", with_theirs=True) as facts:
        meanwhile = posted(serving)

    assert meanwhile.status_code == 500
    assert facts["taken"] > 50
    assert posted(serving).status_code == 200


def test_what_ends_a_trouble_is_not_hidden_by_a_rig_that_is_gone(project: Path) -> None:
    with rig_process(environment=own_server()) as rig:
        rig.start(project)
        rig.serve()

        with pytest.raises(KeyboardInterrupt), rig.trouble("backends-killed"):
            interrupted(rig)
