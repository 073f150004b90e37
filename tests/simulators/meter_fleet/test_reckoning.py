"""The check itself: what it must find, and what it must let pass."""

import math

import numpy as np
import pytest

from simulators.meter_fleet.faults import Fault
from simulators.meter_fleet.ledger import NO_TIME, Given, Ledger, Standing
from simulators.meter_fleet.ledger_file import GivenTable, read_ledger
from simulators.meter_fleet.plan import make_fleet
from simulators.meter_fleet.reckoning import reckon
from simulators.simulator_error import SimulatorError
from storage.stored import StoredTable
from tests.simulators.meter_fleet.made import START_MS, plan

CERTAIN, DOUBTFUL, REFUSABLE = Standing
FLEET = make_fleet(plan(mqtt=1, modbus=1))
WITH_CLOCK, WITHOUT = FLEET
"""A meter that publishes, and an SDM630, which has no clock."""


def given_by(meter, second: int, energy: float, *faults: Fault) -> Given:
    """A reading of a second, given half a second after it was measured."""
    at_ms = START_MS + second * 1000
    return Given(
        meter=meter,
        measured_ms=at_ms if meter.has_clock else NO_TIME,
        given_ms=at_ms + 500,
        registers=(energy, math.nan, math.nan, math.nan),
        faults=faults,
    )


@pytest.fixture
def ledger_of(tmp_path):
    """Write readings with their standings, and read them back."""

    def write(*rows: tuple[Given, Standing]) -> GivenTable:
        with Ledger(FLEET, tmp_path / "ledger.parquet") as ledger:
            for given, standing in rows:
                ledger.enter(given, standing)
        return read_ledger(tmp_path / "ledger.parquet")

    return write


def stored(*rows: tuple[int, float, float]) -> StoredTable:
    """Rows of meter, seconds after the start, and energy."""
    registers = np.full((len(rows), 4), math.nan)
    registers[:, 0] = [energy for *_, energy in rows]
    return StoredTable(
        meter=np.array([meter for meter, *_ in rows], dtype=np.int32),
        measured_us=np.array(
            [START_MS * 1000 + round(s * 1e6) for _, s, _ in rows], dtype=np.int64
        ),
        registers=registers,
    )


BOTH = [
    (given_by(WITH_CLOCK, 0, 10.0), CERTAIN),
    (given_by(WITH_CLOCK, 1, 11.0), CERTAIN),
    (given_by(WITHOUT, 0, 20.0), CERTAIN),
    (given_by(WITHOUT, 1, 20.0), CERTAIN),
]
RIGHT = [(0, 0, 10.0), (0, 1, 11.0), (1, 0.6, 20.0), (1, 1.6, 20.0)]


def test_each_once_and_nothing_else_holds(ledger_of) -> None:
    found = reckon(ledger_of(*BOTH), stored(*RIGHT))
    assert found.holds
    assert (found.given, found.stored, found.certain) == (4, 4, 4)
    assert found.examples == ()


@pytest.mark.parametrize(
    ("rows", "wrong", "said"),
    [
        pytest.param(RIGHT[1:], "missing", "FQ00001 at 2027", id="one is missing"),
        pytest.param(RIGHT[:3], "missing", "FB00001", id="one of two alike is missing"),
        pytest.param(
            [*RIGHT, (0, 2, 12.0)], "invented", "not given", id="one nobody gave"
        ),
        pytest.param(
            [*RIGHT, (1, 2, 20.0)], "invented", "not given", id="once too often"
        ),
        pytest.param(
            [(0, 0, 10.5), *RIGHT[1:]], "altered", "other registers", id="other figure"
        ),
        pytest.param(
            [*RIGHT[:3], (1, 60, 20.0)], "misdated", "another time", id="a minute late"
        ),
    ],
)
def test_each_breach_is_found_and_named(ledger_of, rows, wrong, said) -> None:
    found = reckon(ledger_of(*BOTH), stored(*rows))
    assert not found.holds
    sums = {
        n: getattr(found, n) for n in ("missing", "invented", "altered", "misdated")
    }
    assert sums == dict.fromkeys(sums, 0) | {wrong: 1}
    assert any(said in example for example in found.examples)


def test_a_meter_s_figure_taken_for_another_s_is_found(ledger_of) -> None:
    # 20.0 is what meter 1 gave; stored for meter 0 it is a lie, and one is missing.
    found = reckon(ledger_of(*BOTH), stored(*RIGHT[:2], (0, 5, 20.0), RIGHT[3]))
    assert (found.invented, found.missing) == (1, 1)


def test_a_tampered_clock_is_not_judged_where_that_is_said(ledger_of) -> None:
    rows = stored(*RIGHT[:3], (1, -3600, 20.0))
    assert reckon(ledger_of(*BOTH), rows).misdated == 1
    assert reckon(ledger_of(*BOTH), rows, slack_us=None).holds


@pytest.mark.parametrize("is_stored", [False, True])
@pytest.mark.parametrize(("meter", "place"), [(WITH_CLOCK, 0), (WITHOUT, 1)])
def test_what_is_in_doubt_may_be_there_or_not_but_not_twice(
    ledger_of, meter, place, is_stored
) -> None:
    given = ledger_of(
        (given_by(meter, 0, 10.0), DOUBTFUL),
        (given_by(meter, 1, 11.0, Fault.ZERO), CERTAIN),
    )
    rows = [(place, 0.5 * place, 10.0), (place, 1 + 0.5 * place, 11.0)] * is_stored
    found = reckon(given, stored(*rows))
    assert found.holds
    assert (found.doubtful, found.doubtful_stored) == (1, is_stored)
    assert (found.refusable, found.refusable_stored) == (1, is_stored)
    again = reckon(given, stored(*rows, *rows))
    assert again.invented == 2 * is_stored


def test_sent_twice_by_its_clock_is_one_reading_as_sure_as_the_surest(
    ledger_of,
) -> None:
    reading = given_by(WITH_CLOCK, 0, 10.0)
    given = ledger_of((reading, DOUBTFUL), (reading, CERTAIN), (reading, DOUBTFUL))
    found = reckon(given, stored((0, 0, 10.0)))
    assert found.holds
    assert (found.given, found.certain, found.doubtful) == (1, 1, 0)
    assert reckon(given, stored()).missing == 1


def test_a_ledger_of_nothing_has_all_meters_and_finds_what_was_invented(
    ledger_of,
) -> None:
    nothing = ledger_of()
    assert nothing.serials == ("FQ00001", "FB00001")
    assert nothing.has_clock.tolist() == [True, False]
    assert reckon(nothing, stored()).holds
    assert reckon(nothing, stored((1, 0, 1.0))).invented == 1


def test_a_ledger_comes_back_as_it_was(ledger_of) -> None:
    given = ledger_of(*BOTH, (given_by(WITHOUT, 2, 21.0, Fault.SWAP), CERTAIN))
    assert given.meter.tolist() == [0, 0, 1, 1, 1]
    start_us = START_MS * 1000
    assert given.measured_us.tolist() == [start_us, start_us + 10**6, *[NO_TIME] * 3]
    assert given.given_us[0] == start_us + 500_000
    assert given.registers[:, 0].tolist() == [10.0, 11.0, 20.0, 20.0, 21.0]
    assert np.isnan(given.registers[:, 1:]).all()
    assert given.standing.tolist() == [CERTAIN] * 4 + [REFUSABLE]


def test_many_chunks_are_one_ledger(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("simulators.meter_fleet.ledger_file._CHUNK_ROWS", 7)
    with Ledger(FLEET, tmp_path / "l.parquet") as ledger:
        for second in range(50):
            faults = [list(Fault)[second // 5]] if second % 5 else []
            given = given_by(WITH_CLOCK, second, float(second), *faults)
            ledger.enter(given, CERTAIN)
    given = read_ledger(tmp_path / "l.parquet")
    assert given.registers[:, 0].tolist() == list(range(50))
    assert given.measured_us.tolist() == [
        (START_MS + s * 1000) * 1000 for s in range(50)
    ]


def test_a_file_that_is_no_ledger_is_said_so(tmp_path) -> None:
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(b"PAR1 and no more")
    for file in (cut, tmp_path / "none.parquet"):
        with pytest.raises(SimulatorError, match="is no ledger of a fleet"):
            read_ledger(file)
    with pytest.raises(SimulatorError, match="cannot be written"):
        Ledger(FLEET, cut / "below.parquet").__enter__()
