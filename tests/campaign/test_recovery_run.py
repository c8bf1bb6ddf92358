"""What is known of a run of troubles that ends before it is over."""

from __future__ import annotations

import pytest

from harness.campaign.ground import Ground
from harness.campaign.outside import OutsideTarget
from harness.campaign.recovering.holding import Holding
from harness.campaign.recovering.plan import form_of
from harness.campaign.recovering.run import Run
from harness.campaign.recovering.writes import Ledger
from harness.campaign.scenario import Settings, packaged
from harness.capture.reckoning import Reckoning, Write, reckon
from harness.checks.load.judged import passed
from harness.config import WriteRoute
from harness.findings import ProbeVerdict, Verdict
from tests.campaign.simulated import simulated
from tests.checks.load.recorded import CALM

HOST = "http://shop.example"
WRITE = WriteRoute("/notes", '{"text": "{key}"}', get="/notes/{key}")
WELL = reckon([Write("a", 201), Write("b", None)], {"a": 1})


def started(ledger: Ledger | str = "nobody said how") -> Run:
    form = form_of(Settings(is_short=True))
    return Run(simulated(), Holding(simulated(), packaged("recovery"), form, ledger))


@pytest.mark.parametrize(
    ("ground", "why"),
    [
        (simulated(why_no_activity="SQLite has no server"), "SQLite has no server"),
        (
            Ground(Settings(), lambda _step: None, outside=OutsideTarget(HOST)),
            f"{HOST} was not started here, which is needed for the trouble 'network slow'",
        ),
    ],
    ids=["SQLite", "host"],
)
def test_a_trouble_that_cannot_be_made_is_skipped_before_it_is_announced_or_loaded(
    ground: Ground, why: str
) -> None:
    told: list[str] = []
    ground.tell = told.append
    form = form_of(Settings(is_short=True))
    run = Run(ground, Holding(ground, packaged("recovery"), form, "nobody said how"))
    (slow,) = (trouble for trouble in form.troubles if trouble.probe == "recovery-slow")

    run.then(slow)

    (judged,) = run.judged
    assert (judged.verdict.verdict, judged.verdict.summary) == (Verdict.SKIPPED, why)
    assert (told, ground.windows) == ([], [])


def reckoned(*reckonings: Reckoning) -> Run:
    """One that writes were looked up in, after each of its first troubles."""
    run = started(Ledger(simulated(), WRITE, "harness-1-"))
    run.reckonings += [(f"trouble {number}", each) for number, each in enumerate(reckonings)]
    return run


def of_writes(run: Run, *, why: str = "") -> ProbeVerdict:
    """What is said of them in the end, or when it ends early."""
    return (run.so_far(why) if why else run.outcome()).verdicts[-1]


def test_troubles_that_were_judged_stay_so_and_the_others_are_named() -> None:
    run = started()
    run.judged.append(passed("recovery-idle", "back 1 ms after the trouble"))

    told = {item.probe: item.verdict for item in run.so_far("interrupted").verdicts}

    assert told.pop("recovery-idle") is Verdict.PASS
    assert told.pop("recovery-killed") is Verdict.INCONCLUSIVE
    assert {"recovery-restart", "recovery-full", "nothing-lost"} <= told.keys()
    assert set(told.values()) == {Verdict.SKIPPED}


def test_the_trouble_that_was_cut_short_says_why_and_shows_its_load() -> None:
    run = started()
    run.ground.windows.append(CALM)

    outcome = run.so_far("interrupted before it had an answer")

    assert outcome.verdicts[0].summary == "interrupted before it had an answer"
    assert [phase.windows for phase in outcome.phases] == [(CALM,)]


def test_writes_that_are_there_after_the_first_troubles_are_no_pass_of_all() -> None:
    whole, half = of_writes(reckoned(WELL)), of_writes(reckoned(WELL), why="interrupted")

    assert whole.verdict is Verdict.PASS
    assert half == ProbeVerdict(
        "nothing-lost", Verdict.INCONCLUSIVE, f"interrupted; until then: {whole.summary}"
    )


def test_writes_that_were_lost_until_then_are_lost() -> None:
    lost = reckon([Write("c", 201)], {})

    told = of_writes(reckoned(WELL, lost), why="interrupted")

    assert told.verdict is Verdict.FAIL
    assert told.summary == "trouble 1: 1 of 1 write answered 2xx and not there"


def test_writes_that_nobody_looked_up_by_then_have_the_end_as_their_reason() -> None:
    told = of_writes(reckoned(), why="interrupted")

    assert (told.verdict, told.summary) == (Verdict.INCONCLUSIVE, "interrupted")


def test_writes_that_could_not_be_looked_up_say_so_too() -> None:
    run = reckoned()
    run.unreckoned.append("load stopped: the application answers 500 when asked for a key")

    told = of_writes(run, why="interrupted")

    assert told.verdict is Verdict.INCONCLUSIVE
    assert told.summary.startswith("interrupted; until then: load stopped: the application answers")
