"""Time without supply inside what a register counted at once: who gets the energy."""

import numpy as np

from analytics.settlement.evidence import Outage
from analytics.settlement.method import Method, State
from analytics.settlement.ruleset import Outage as OutageRule
from analytics.settlement.ruleset import Rules, Severity
from analytics.settlement.settlement import Settlement
from analytics.settlement.settling import settle_span
from analytics.settlement.verdict import Status, Verdict
from tests.analytics.settlement.making import (
    IMPORT,
    at,
    days_before,
    evidence,
    fitting,
    quarters,
    readings,
)


def out(first: int, stop: int) -> Outage:
    """No supply from one quarter-hour to another, counted from START."""
    return minutes_out(15 * first, 15 * stop)


def minutes_out(first: int, stop: int) -> Outage:
    """No supply from one minute to another, counted from START."""
    return Outage(start_us=int(at(first)), stop_us=int(at(stop)))


def settled(minutes, register, *outages: Outage, **known) -> Settlement:
    """A day of 2 kWh a quarter-hour before and after what was read in between."""
    before, after = np.arange(0, 41) * 15, np.arange(56, 97) * 15
    upto, since = 2.0 * np.arange(41), 2.0 * np.arange(41)
    batch = readings(
        np.concatenate([before, minutes, after]),
        energy_import_kwh=np.concatenate(
            [upto, 80.0 + np.array(register[:-1]), 80.0 + register[-1] + since]
        ),
    )
    rules = known.pop("rules", Rules())
    known = {"history": days_before(2.0, 21), "outages": outages} | known
    return settle_span(evidence(batch, **known), quarters(96), rules)


def outage_verdicts(settlement: Settlement) -> list[Verdict]:
    return [
        one
        for one in settlement.verdicts
        if one.rule == "outage" and one.status > Status.SKIPPED
    ]


def test_energy_of_a_hole_is_not_shared_over_an_outage_in_it() -> None:
    # Read at 10:00 (quarter 40) and at 14:00 (56): 16 kWh. Off from 11:00 to 13:00 (44
    # to 52), so 16 kWh in the 8 quarters with supply: 2 kWh each, as like days have it.
    settlement = settled([], [16.0], out(44, 52))
    kwh = settlement.import_kwh
    np.testing.assert_allclose(kwh[40:44], 2.0, atol=1e-9)
    assert kwh[44:52].tolist() == [0.0] * 8
    np.testing.assert_allclose(kwh[52:56], 2.0, atol=1e-9)
    assert settlement.energies[IMPORT].quanta[40:56].sum() == 1600
    assert set(settlement.method[44:52].tolist()) == {Method.ZERO}
    assert set(settlement.method[40:44].tolist()) == {Method.SCALED}
    assert set(settlement.state[40:56].tolist()) == {State.ESTIMATED}
    assert outage_verdicts(settlement) == []


def test_a_quarter_that_was_off_in_part_has_its_part() -> None:
    # Off from 11:05 to 12:55: quarters 44 and 51 had supply for 5 minutes each.
    settlement = settled([], [20.0], minutes_out(665, 775))
    kwh = settlement.import_kwh
    assert kwh[45:51].tolist() == [0.0] * 6
    assert (kwh[[44, 51]] > 0).all()
    assert settlement.energies[IMPORT].quanta[40:56].sum() == 2000


def test_what_was_counted_before_the_hole_in_its_quarter_stays() -> None:
    # Read at 10:05 too: 0.7 kWh since 10:00. Off from 10:05 until 12:00: the quarter of
    # 10:00 keeps 0.7 and gets nothing of the hole's 16 kWh, which 8 quarters share.
    settlement = settled([605], [0.7, 16.7], minutes_out(605, 720))
    kwh = settlement.import_kwh
    assert round(kwh[40], 9) == 0.7
    assert kwh[41:48].tolist() == [0.0] * 7
    np.testing.assert_allclose(kwh[48:56], 2.0, atol=1e-9)
    assert outage_verdicts(settlement) == []


def test_two_outages_that_meet_are_one() -> None:
    # 11:00 to 12:05 and 12:05 to 13:00: the quarter of 12:00 is in both together.
    first = minutes_out(660, 725)
    second = minutes_out(725, 780)
    settlement = settled([], [16.0], second, first)
    assert settlement.import_kwh[44:52].tolist() == [0.0] * 8


def test_a_register_that_went_on_all_through_an_outage_wins() -> None:
    # All of the hole is within the outage, and 8 kWh were counted: 0.5 a quarter.
    settlement = settled([], [8.0], out(39, 57))
    np.testing.assert_allclose(settlement.import_kwh[40:56], 0.5, atol=0.02)
    assert settlement.energies[IMPORT].quanta[40:56].sum() == 800
    assert Method.ZERO not in settlement.method[40:56]
    in_hole = [v for v in outage_verdicts(settlement) if v.figures["kwh"] == 8.0]
    (one,) = in_hole
    assert one.status is Status.WARN
    assert (one.start_us, one.stop_us) == (at(40 * 15), at(56 * 15))


def test_energy_measured_in_an_outage_warns_and_stays() -> None:
    # Quarters 60 to 63 were read and had 2 kWh each: 8 kWh while the supply was off.
    settlement = settled([], [32.0], out(60, 64))
    assert settlement.import_kwh[60:64].tolist() == [2.0] * 4
    (one,) = outage_verdicts(settlement)
    assert one.figures == {"kwh": 8.0, "hours": 1.0}
    assert set(settlement.status[60:64].tolist()) == {Status.WARN}


def test_the_rule_can_be_switched_off() -> None:
    rules = Rules(outage=OutageRule(severity=Severity.OFF))
    settlement = settled([], [32.0], out(60, 64), rules=rules)
    assert [one for one in settlement.verdicts if one.rule == "outage"] == []


def test_what_the_time_with_supply_cannot_have_drawn_flowed_in_the_outage() -> None:
    # 32 kWh, and only the last quarter with supply: 128 kW where at most 40 can flow.
    settlement = settled(
        [], [32.0], out(40, 55), most_kw=40.0, fittings=[fitting(most_kw=40.0)]
    )
    np.testing.assert_allclose(settlement.import_kwh[40:56], 2.0, atol=0.02)
    assert settlement.energies[IMPORT].quanta[40:56].sum() == 3200
    assert [one.figures["kwh"] for one in outage_verdicts(settlement)] == [32.0]


def test_an_open_gap_with_an_outage_in_it_is_zero_there() -> None:
    # Nothing was read after 10:00, so nothing is known of the sum: like days of 2 kWh
    # fill the rest of the day, but for the time without supply.
    batch = readings(15 * np.arange(41), energy_import_kwh=2.0 * np.arange(41))
    known = evidence(batch, history=days_before(2.0, 21), outages=(out(44, 52),))
    settlement = settle_span(known, quarters(96))
    kwh = settlement.import_kwh
    assert kwh[44:52].tolist() == [0.0] * 8
    np.testing.assert_allclose(kwh[40:44], 2.0, atol=1e-9)
    np.testing.assert_allclose(kwh[52:], 2.0, atol=1e-9)
    assert set(settlement.method[44:52].tolist()) == {Method.ZERO}
