"""A point through all steps: what is measured, estimated, distrusted or missing."""

from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest

from accounts.calendar import SiteCalendar
from analytics.settlement import boundary
from analytics.settlement.evidence import Outage, Series, StatedMultiplier
from analytics.settlement.method import Method, State
from analytics.settlement.ruleset import Rules, Severity, Usage
from analytics.settlement.settling import settle_span
from analytics.settlement.verdict import Status
from meters.quantity import Quantity
from tests.analytics.settlement.making import (
    DAY_US,
    EXPORT,
    IMPORT,
    SEOUL,
    START_US,
    at,
    days_before,
    evidence,
    fitting,
    quarters,
    readings,
)
from tests.support import shared_data

LOS_ANGELES = SiteCalendar(ZoneInfo("America/Los_Angeles"), "US")
BERLIN = SiteCalendar(ZoneInfo("Europe/Berlin"), "DE")


def every_quarter(load_kwh, **columns):
    """Register at every boundary of intervals of that energy."""
    register = np.concatenate([[0.0], np.cumsum(load_kwh)])
    return readings(
        15 * np.arange(register.size), energy_import_kwh=register, **columns
    )


def figures(settlement) -> list[float | None]:
    return [None if np.isnan(e) else round(e, 2) for e in settlement.import_kwh]


def broken(settlement) -> set[str]:
    """Rules that were broken, but for the flat line that a made-up load is."""
    found = {v.rule for v in settlement.verdicts if v.status > Status.SKIPPED}
    return found - {"flatline"}


def test_readings_on_the_boundaries_are_differenced() -> None:
    # 107.50 - 100.00 = 7.50; 110.25 - 107.50 = 2.75.
    batch = readings([0, 15, 30], energy_import_kwh=[100.0, 107.5, 110.25])
    settlement = settle_span(evidence(batch), quarters(2))
    assert figures(settlement) == [7.5, 2.75]
    assert settlement.state.tolist() == [State.MEASURED] * 2
    assert settlement.confidence.tolist() == [1.0, 1.0]
    assert broken(settlement) == set()


def test_a_boundary_between_two_readings_is_interpolated() -> None:
    # 15:00 is half way between 100.00 and 100.10; 0:00 between 99.00 and 99.20.
    batch = readings([-1, 1, 14, 16], energy_import_kwh=[99.0, 99.2, 100.0, 100.1])
    settlement = settle_span(evidence(batch), quarters(1))
    assert figures(settlement) == [0.95]
    assert settlement.state.tolist() == [State.MEASURED]


def test_readings_far_apart_make_an_estimate() -> None:
    # 20 min between readings are more than a fifth of 15 min, less than 22.5 min.
    batch = readings([0, 20, 40], energy_import_kwh=[0.0, 2.0, 4.0])
    settlement = settle_span(evidence(batch), quarters(2))
    assert figures(settlement) == [1.5, 1.5]
    assert settlement.state.tolist() == [State.ESTIMATED] * 2
    assert settlement.method.tolist() == [Method.INTERPOLATED] * 2
    assert settlement.firm.all()


def test_a_gap_is_shared_out_as_like_days_were_and_keeps_its_sum() -> None:
    # Like days draw 1 kWh until 12:00 and 3 kWh after it. From 11:00 to 13:00 nothing
    # was read; 16 kWh ran: 4 x 1 + 4 x 3. Days are all alike, so the shape is scaled.
    shape = np.where(np.arange(96) < 48, 1.0, 3.0)
    batch = every_quarter(shape)
    keep = np.delete(np.arange(97), np.arange(45, 52))
    known = evidence(
        batch[keep],
        history=days_before(shape, 21),
    )
    settlement = settle_span(known, quarters(96))
    assert figures(settlement) == shape.tolist()
    assert settlement.state.tolist()[43:53] == [1] + [2] * 8 + [1]
    assert set(settlement.method[44:52].tolist()) == {Method.SCALED}
    assert broken(settlement) == {"gap"}


def test_a_reading_inside_an_interval_counts_in_it() -> None:
    # Read at 0, 15, 25 and 75 min: 2 kWh until 25, then 10 kWh until 75. The intervals
    # from 15 on hold 12 kWh, 3 each; 2 of the first are counted, so 1 is left for it.
    batch = readings([0, 15, 25, 75], energy_import_kwh=[0.0, 1.0, 3.0, 13.0])
    settlement = settle_span(evidence(batch), quarters(5))
    assert figures(settlement) == [1.0, 3.0, 3.0, 3.0, 3.0]


def test_a_reset_is_estimated_and_fails() -> None:
    register = [*np.arange(5000.0, 5048.0), *np.arange(0.0, 49.0)]
    batch = readings(15 * np.arange(97), energy_import_kwh=register)
    settlement = settle_span(evidence(batch), quarters(96))
    # Between 47 x 15 and 48 x 15 min the register began again: a line from 1 to 1.
    assert figures(settlement) == [1.0] * 96
    assert settlement.state[47] == State.ESTIMATED
    (one,) = [v for v in settlement.verdicts if v.rule == "plausible"]
    assert (one.status, one.figures["doubt"]) == (Status.FAIL, "reset")
    assert settlement.status[47] == Status.FAIL


def test_a_glitch_costs_no_energy() -> None:
    batch = every_quarter(np.ones(96))
    batch.values[40, 0] = 53_700_000.0  # evcc#30592
    settlement = settle_span(evidence(batch), quarters(96))
    assert figures(settlement) == [1.0] * 96
    assert settlement.state.tolist()[38:42] == [1, 2, 2, 1]
    # Put aside, the reading leaves half an hour that nothing was read in.
    assert broken(settlement) == {"plausible", "gap"}
    assert settlement.energies[IMPORT].quanta.sum() == 9600


def test_an_open_gap_is_estimated_from_like_days() -> None:
    batch = every_quarter(np.full(48, 2.0))
    known = evidence(batch, history=days_before(2.0, 21))
    settlement = settle_span(known, quarters(96))
    assert figures(settlement) == [2.0] * 96
    assert settlement.method[60] == Method.AVERAGE_LIKE_DAY
    alone = settle_span(evidence(batch), quarters(96))
    assert figures(alone)[48:] == [None] * 48
    assert set(alone.cause[48:].tolist()) == {"no-reading"}


def test_an_outage_explains_zeros_and_is_no_example() -> None:
    load = np.full(192, 2.0)
    load[20:60] = 0.0
    out = Outage(start_us=int(at(20 * 15)), stop_us=int(at(60 * 15)))
    known = evidence(every_quarter(load), outages=(out,))
    assert broken(settle_span(known, quarters(192))) == set()
    assert "zero_run" in broken(
        settle_span(evidence(every_quarter(load)), quarters(192))
    )


def test_a_closure_of_the_site_explains_a_day_of_nothing() -> None:
    load = np.full(192, 2.0)
    load[96:] = 0.0
    # The 3rd of March begins at START in Seoul, so the 4th is the day of nothing.
    closed = SiteCalendar(SEOUL.time_zone, "KR", closures=frozenset({date(2026, 3, 4)}))
    known = evidence(every_quarter(load))
    assert broken(settle_span(known, quarters(192))) == {"zero_run"}
    known = replace(known, calendar=closed)
    assert broken(settle_span(known, quarters(192))) == set()


def test_an_old_reading_given_again_is_a_gap_and_no_standstill() -> None:
    # 2 kWh a quarter; for two hours the reading of 10:00 came again, then 18 at once.
    load = np.full(96, 2.0)
    load[40:48], load[48] = 0.0, 18.0
    known = evidence(every_quarter(load), history=days_before(2.0, 21))
    settlement = settle_span(known, quarters(96))
    assert figures(settlement) == [2.0] * 96
    assert set(settlement.method[40:49].tolist()) == {Method.SCALED}
    assert settlement.energies[IMPORT].quanta.sum() == 19_200
    assert broken(settlement) == {"plausible", "gap"}


def test_a_register_that_stood_is_made_good_by_the_meters_own_power() -> None:
    # 2 kWh a quarter are 8 kW; the meter says 7.2 kW, a tenth less than its register.
    load, power_kw = np.full(96, 2.0), np.full(97, 7.2)
    load[40:50], power_kw[40:51] = 0.0, [9.0, *np.full(9, 10.8), 7.2]
    batch = every_quarter(load, active_power_kw=power_kw)
    settlement = settle_span(evidence(batch), quarters(96))
    # 10.8 kW / 7.2 kW x 2 kWh = 3 kWh.
    assert settlement.import_kwh[41:50] == pytest.approx(np.full(9, 3.0), abs=0.01)
    assert set(settlement.method[40:50].tolist()) == {Method.CALCULATED}
    assert "stalled" in broken(settlement)


def test_a_meter_that_said_nothing_new_is_estimated_from_like_days() -> None:
    load, power_kw = np.full(96, 2.0), 8.0 + np.arange(97) / 1000
    load[40:50], power_kw[40:51] = 0.0, 8.04
    batch = every_quarter(load, active_power_kw=power_kw)
    known = evidence(batch, history=days_before(2.0, 21))
    settlement = settle_span(known, quarters(96))
    assert figures(settlement) == [2.0] * 96
    assert set(settlement.method[40:50].tolist()) == {Method.AVERAGE_LIKE_DAY}


def test_a_meter_connected_the_wrong_way_round() -> None:
    load, fed = np.full(96, 2.0), np.zeros(97)
    load[40:60] = 0.0
    fed[41:] = np.minimum(2.0 * np.arange(1, 57), 40.0)
    batch = every_quarter(load, energy_export_kwh=fed)
    known = evidence(batch, history=days_before(2.0, 21), feeds=False)
    settlement = settle_span(known, quarters(96))
    assert figures(settlement) == [2.0] * 96
    assert settlement.energy(EXPORT).sum() == 0.0
    assert set(settlement.method[40:60].tolist()) == {Method.CALCULATED}
    assert set(settlement.status[40:60].tolist()) == {Status.FAIL}
    # An account that feeds is believed.
    feeding = settle_span(replace(known, feeds=True), quarters(96))
    assert feeding.import_kwh[40:60].sum() == 0.0
    assert feeding.energy(EXPORT).sum() == 40.0


def test_a_rule_that_is_off_says_nothing() -> None:
    week = np.full(96 * 7, 2.0)
    known = evidence(every_quarter(week), history=days_before(9.0, 21))
    unusual = settle_span(known, quarters(96 * 7))
    assert broken(unusual) == {"usage"}
    # It may be the new usual: it serves as an example all the same.
    assert unusual.firm.all()
    rules = Rules(usage=Usage(severity=Severity.OFF))
    assert broken(settle_span(known, quarters(96 * 7), rules)) == set()


def test_a_multiplier_that_the_meter_contradicts_fails_and_keeps_its_energy() -> None:
    states = StatedMultiplier(meter_id=7, since_us=START_US, value=60.0)
    known = evidence(every_quarter(np.full(96, 2.0)), stated=(states,))
    settlement = settle_span(known, quarters(96))
    assert figures(settlement) == [2.0] * 96
    assert set(settlement.status.tolist()) == {Status.FAIL}
    assert not settlement.firm.any()


def test_the_check_meter_shapes_a_gap() -> None:
    check = np.ones(96)
    check[44:52] = [1, 1, 1, 1, 2, 2, 4, 4]
    batch = readings([0, 44 * 15, 52 * 15, 1440], energy_import_kwh=[0, 44, 60, 104])
    series = Series(start_us=quarters(96), kwh=check, firm=np.ones(96, dtype=bool))
    settlement = settle_span(evidence(batch, check=series), quarters(96))
    assert figures(settlement)[44:52] == [1, 1, 1, 1, 2, 2, 4, 4]
    assert set(settlement.method[44:52].tolist()) == {Method.CHECK}


@pytest.mark.parametrize(
    ("calendar", "day", "count"),
    [
        pytest.param(LOS_ANGELES, date(2018, 3, 11), 92, id="Los Angeles spring"),
        pytest.param(LOS_ANGELES, date(2018, 11, 4), 100, id="Los Angeles autumn"),
        pytest.param(BERLIN, date(2026, 3, 29), 92, id="Berlin spring"),
        pytest.param(BERLIN, date(2026, 10, 25), 100, id="Berlin autumn"),
    ],
)
def test_clock_changes(calendar, day, count) -> None:
    """The day before, that day and the day after; a gap in the night of the change."""
    first, last = day - timedelta(days=1), day + timedelta(days=1)
    starts = calendar.quarter_hours_us(first, last)
    assert starts.size == 192 + count
    _, slot = calendar.days_and_slots(starts)
    counts = 100 + slot  # like every day before it, slot by slot
    before = calendar.quarter_hours_us(first - timedelta(days=42), first)[:-96]
    history = Series(
        start_us=before,
        kwh=(100.0 + calendar.days_and_slots(before)[1]) / 100,
        firm=np.ones(before.size, dtype=bool),
    )
    shown = np.concatenate([[0], np.cumsum(counts)]) / 100
    batch = readings(
        (np.append(starts, starts[-1] + 900_000_000) - START_US) // 60_000_000,
        energy_import_kwh=shown,
    )
    keep = np.ones(shown.size, dtype=bool)
    keep[96 + 2 : 96 + 22] = False
    known = evidence(
        batch[keep],
        fittings=[fitting(from_us=int(starts[0]) - DAY_US)],
        history=history,
        calendar=calendar,
    )
    settlement = settle_span(known, starts)
    assert len(settlement) == 192 + count
    assert settlement.energies[IMPORT].quanta.sum() == counts.sum()
    assert settlement.energies[IMPORT].quanta.tolist() == counts.tolist()
    assert (settlement.state == State.ESTIMATED).sum() == 21


@pytest.fixture(scope="module")
def steel():
    table = pq.read_table(
        shared_data("steel_industry_kr") / "steel_2018_jan_aug.parquet"
    )
    columns = {
        "energy_import_kwh": "usage_kwh",
        "energy_lagging_kvarh": "lagging_kvarh",
        "energy_leading_kvarh": "leading_kvarh",
    }
    return {key: table[column].to_numpy() for key, column in columns.items()}


def test_the_steel_plant_settles_to_its_file(steel) -> None:
    # Totals and peak: docs/methods.md, Registers. The registers turn over early on.
    registers = {
        quantity: np.cumsum([99_900_000, *np.rint(energy * 100).astype(np.int64)])
        % 10**8
        / 100
        for quantity, energy in steel.items()
    }
    size = steel["energy_import_kwh"].size
    batch = readings(15 * np.arange(size + 1), **registers)
    settlement = settle_span(
        evidence(batch, fittings=[fitting(most_kw=700.0)]), quarters(size)
    )
    sums = {
        quantity: energy.quanta.sum() / 100
        for quantity, energy in settlement.energies.items()
    }
    assert sums == {
        Quantity.ENERGY_IMPORT_KWH: 671_433.60,
        Quantity.ENERGY_LAGGING_KVARH: 306_315.73,
        Quantity.ENERGY_LEADING_KVARH: 94_382.73,
    }
    assert settlement.import_kwh.max() * 4 == pytest.approx(612.56, abs=1e-9)
    assert set(settlement.state.tolist()) == {State.MEASURED}
    assert SEOUL.country == "KR"


def test_a_hole_that_reaches_too_far_is_not_shared_out_in_part(monkeypatch) -> None:
    # Read at noon before and three days later; no more than a day is looked at.
    monkeypatch.setattr(boundary, "FURTHEST_DAYS", 1)
    known = evidence(
        readings([-720, 3 * 1440], energy_import_kwh=[0.0, 500.0]),
        history=days_before(2.0, 21),
    )
    settlement = settle_span(known, quarters(96))
    assert set(settlement.method.tolist()) == {Method.AVERAGE_LIKE_DAY}
    assert settlement.import_kwh == pytest.approx([2.0] * 96, abs=0.01)
