"""Every rule, at its threshold and beyond, with the working shown."""

from fractions import Fraction

import numpy as np
import pytest

from analytics.settlement import ruleset
from analytics.settlement.evidence import Series, StatedMultiplier
from analytics.settlement.fitting import Multiplier
from analytics.settlement.given import rows_of
from analytics.settlement.rules_physical import (
    cap,
    flatline,
    negative,
    reactive,
    reverse,
    zero_run,
)
from analytics.settlement.rules_statistical import Daily, daily, peak, spike, usage
from analytics.settlement.rules_structural import (
    clock,
    gap,
    master_data,
    overlaps,
    plausible,
    repeats,
)
from analytics.settlement.rules_sum import Sum, main_check, sum_check
from analytics.settlement.span import Span
from analytics.settlement.verdict import Status, Verdict, worst
from meters.reading import joined
from tests.analytics.settlement.making import (
    DAY_US,
    MINUTE_US,
    QUARTER_US,
    SEOUL,
    START_US,
    at,
    days_before,
    fitting,
    quarters,
    readings,
)


def span(days=1) -> Span:
    return Span.of(SEOUL, quarters(96 * days), 15)


def load(days=1, kwh=10.0) -> np.ndarray:
    return np.full(96 * days, kwh)


def slots(verdict: Verdict) -> tuple[int, int]:
    """First interval and end of what a verdict is about."""
    first = (verdict.start_us - START_US) // QUARTER_US
    return first, (verdict.stop_us - START_US) // QUARTER_US


def test_gap() -> None:
    missing = np.zeros(96, dtype=bool)
    missing[3:7] = True
    (found,) = gap(missing, span(), ruleset.Gap())
    assert (slots(found), found.status) == ((3, 7), Status.FAIL)
    assert found.figures == {"intervals": 4}
    (held,) = gap(np.zeros(96, dtype=bool), span(), ruleset.Gap())
    assert held.status is Status.PASS


def test_repeats_of_readings() -> None:
    first = readings([0, 15, 15, 30], energy_import_kwh=[1.0, 2.0, 2.0, 3.0])
    rows = rows_of(first, fitting())
    assert (rows.repeats, rows.contradicted_us.tolist()) == (1, [])
    (held,) = repeats(rows, span(), ruleset.Repeats())
    assert held.status is Status.PASS
    # Received a second later, another value for 15 min: the newest is taken.
    second = readings([15], late_us=10**6, energy_import_kwh=[2.5])
    both = joined([first, second])
    rows = rows_of(both, fitting())
    assert both.values[rows.row, 0].tolist() == [1.0, 2.5, 3.0]
    (found,) = repeats(rows, span(), ruleset.Repeats())
    assert found.figures == {"repeats": 1, "late": 1, "at_us": int(at(15))}
    assert found.status is Status.FAIL


def test_overlap() -> None:
    starts = np.array([0, 15, 25, 40]) * MINUTE_US
    assert overlaps(starts, QUARTER_US).tolist() == [False, False, True, False]


def says(value, minute=0, meter_id=7) -> StatedMultiplier:
    return StatedMultiplier(meter_id=meter_id, since_us=int(at(minute)), value=value)


@pytest.mark.parametrize(
    ("stated", "status", "figures"),
    [
        # 400/5 = 80, x 100 = 8,000; entered is CT 60 x PT 100 = 6,000.
        pytest.param([says(6000.0)], Status.PASS, {"stated": 6000.0}, id="the same"),
        pytest.param([says(6000.001)], Status.PASS, None, id="as a float32 has it"),
        pytest.param(
            [says(8000.0)], Status.FAIL, {"stated": 8000.0, "entered": 6000.0}, id="not"
        ),
        pytest.param([says(1.0)], Status.SKIPPED, {}, id="was given none"),
        pytest.param(
            [says(8000.0, meter_id=8)], Status.SKIPPED, {}, id="another meter"
        ),
        pytest.param([says(8000.0, minute=1440)], Status.SKIPPED, {}, id="not yet"),
        pytest.param([], Status.SKIPPED, {}, id="says nothing"),
    ],
)
def test_master_data(stated, status, figures) -> None:
    (found,) = master_data(stated, [fitting(ratio=6000)], span(), ruleset.MasterData())
    assert found.status is status
    assert figures is None or found.figures == figures


def test_what_a_meter_states_is_held_against_what_was_entered_at_the_time() -> None:
    # Entered: 60 from the beginning, 80 from 12:00. Stated: 60 until 06:00, then 80.
    changed = (
        Multiplier(START_US - DAY_US, Fraction(60)),
        Multiplier(int(at(720)), Fraction(80)),
    )
    (found,) = master_data(
        [says(60.0, -600), says(80.0, 360)],
        [fitting(multipliers=changed)],
        span(),
        ruleset.MasterData(),
    )
    assert (found.start_us, found.stop_us) == (at(360), at(720))
    assert found.figures == {"stated": 80.0, "entered": 60.0}


@pytest.mark.parametrize(
    ("ahead_s", "status"),
    [
        pytest.param(180, Status.PASS, id="three minutes ahead"),
        pytest.param(181, Status.WARN, id="more"),
        pytest.param(-180, Status.PASS, id="three minutes behind"),
        pytest.param(-181, Status.WARN, id="further behind"),
    ],
)
def test_clock(ahead_s, status) -> None:
    measured_us = quarters(96)
    received_us = measured_us - ahead_s * 10**6
    of_day = np.zeros(96, dtype=np.int64)
    (found,) = clock(measured_us, received_us, of_day, span(), ruleset.Clock())
    assert found.status is status


def test_readings_kept_while_a_line_was_down_tell_of_no_slow_clock() -> None:
    # All of the day came at its end: the lags are from 4 minutes to 24 hours.
    measured_us = quarters(96)
    received_us = np.full(96, START_US + DAY_US - 11 * MINUTE_US)
    of_day = np.zeros(96, dtype=np.int64)
    (found,) = clock(measured_us, received_us, of_day, span(), ruleset.Clock())
    assert found.status is Status.PASS


def test_plausible_passes_without_doubt() -> None:
    (held,) = plausible({}, [], span(), ruleset.Plausible())
    assert held.status is Status.PASS


def test_negative() -> None:
    kwh = load()
    kwh[5] = -0.01
    (found,) = negative(kwh, span(), ruleset.Negative())
    assert (slots(found), found.figures) == ((5, 6), {"least_kwh": -0.01})
    assert found.status is Status.FAIL


@pytest.mark.parametrize(
    ("fed_kwh", "wrong_way"),
    [
        # 8 intervals of 10 kWh were expected: 80 kWh; half and twice of it count.
        pytest.param(5.0, 1.0, id="half of what was expected"),
        pytest.param(4.9, 0.0, id="less: perhaps it does feed"),
        pytest.param(20.0, 1.0, id="twice"),
        pytest.param(20.1, 0.0, id="more"),
    ],
)
def test_reverse(fed_kwh, wrong_way) -> None:
    drawn, fed = load(), load(kwh=0.0)
    drawn[40:48], fed[40:48] = 0.0, fed_kwh
    (found,) = reverse(drawn, fed, load(), span(), ruleset.Reverse())
    assert (slots(found), found.status) == ((40, 48), Status.FAIL)
    assert found.figures["reversed"] == wrong_way


def test_what_is_fed_while_something_is_drawn_is_not_turned_round() -> None:
    fed = load(kwh=0.0)
    fed[40:48] = 10.0
    (found,) = reverse(load(), fed, load(), span(), ruleset.Reverse())
    assert found.figures["reversed"] == 0.0


@pytest.mark.parametrize(
    ("kwh", "status"),
    [
        # 100 kW x 1.2 = 120 kW = 30 kWh in a quarter of an hour.
        pytest.param(30.0, Status.PASS, id="at the cap"),
        pytest.param(30.01, Status.FAIL, id="beyond"),
    ],
)
def test_cap(kwh, status) -> None:
    energy = load()
    energy[7] = kwh
    (found,) = cap(energy, 100.0, span(), ruleset.Cap())
    assert found.status is status
    assert found.figures == {"limit_kw": 120.0, "highest_kw": kwh * 4}
    assert cap(energy, None, span(), ruleset.Cap())[0].status is Status.SKIPPED


@pytest.mark.parametrize(
    ("slots_of_zero", "status"),
    [
        pytest.param(15, Status.PASS, id="3 h 45"),
        pytest.param(16, Status.WARN, id="4 h"),
        pytest.param(95, Status.WARN, id="23 h 45"),
        pytest.param(96, Status.FAIL, id="24 h"),
    ],
)
def test_zero_run(slots_of_zero, status) -> None:
    kwh, out = load(2), np.zeros(192, dtype=bool)
    kwh[10 : 10 + slots_of_zero] = 0.0
    (found,) = zero_run(kwh, out, span(2), ruleset.ZeroRun())
    assert found.status is status
    # A known outage explains it.
    out[10 : 10 + slots_of_zero] = True
    (found,) = zero_run(kwh, out, span(2), ruleset.ZeroRun())
    assert found.status is Status.PASS


@pytest.mark.parametrize(("equal", "status"), [(11, Status.PASS), (12, Status.WARN)])
def test_flatline(equal, status) -> None:
    kwh = np.arange(96.0) + 1
    kwh[20 : 20 + equal] = 7.0
    (found,) = flatline(kwh, span(), ruleset.Flatline())
    assert found.status is status
    if status is Status.WARN:
        assert (slots(found), found.figures) == ((20, 32), {"slots": 12, "kwh": 7.0})
    kwh[20 : 20 + equal] = 0.0  # that is a zero run
    (found,) = flatline(kwh, span(), ruleset.Flatline())
    assert found.status is Status.PASS


def test_reactive() -> None:
    kvarh = load(2, kwh=3.0)
    kvarh[:96] = 0.0
    (found,) = reactive(load(2), kvarh, span(2), ruleset.Reactive())
    assert (slots(found), found.status) == ((0, 96), Status.WARN)
    kvarh[50] = 0.1  # not the whole day
    (found,) = reactive(load(2), kvarh, span(2), ruleset.Reactive())
    assert found.status is Status.PASS
    kvarh[:] = np.nan  # the meter has no such register
    (found,) = reactive(load(2), kvarh, span(2), ruleset.Reactive())
    assert found.status is Status.SKIPPED


@pytest.mark.parametrize(
    ("intervals_kwh", "register_kwh", "status"),
    [
        # One unit of 60 kWh is more than 0.1 % of 1000 kWh.
        pytest.param(1060.0, 1000.0, Status.PASS, id="one unit"),
        pytest.param(1060.1, 1000.0, Status.FAIL, id="more than a unit"),
        # 0.1 % of 100 000 kWh are 100 kWh, more than a unit.
        pytest.param(99_900.0, 100_000.0, Status.PASS, id="a thousandth"),
        pytest.param(99_899.0, 100_000.0, Status.FAIL, id="more than that"),
    ],
)
def test_sum_check(intervals_kwh, register_kwh, status) -> None:
    one = Sum(
        start_us=START_US,
        stop_us=START_US + DAY_US,
        intervals_kwh=intervals_kwh,
        register_kwh=register_kwh,
        unit_kwh=60.0,
    )
    (found,) = sum_check([one], span(), ruleset.SumCheck())
    assert found.status is status
    assert found.figures["register_kwh"] == register_kwh


@pytest.mark.parametrize(
    ("check_kwh", "status"),
    [
        # Classes of 0.5 each: 1 % together, times 1.5: 14.4 of 960 kWh, 0.15 of 10.
        pytest.param(10.15, Status.PASS, id="within"),
        pytest.param(10.16, Status.WARN, id="beyond"),
        pytest.param(9.84, Status.WARN, id="below"),
    ],
)
def test_main_check(check_kwh, status) -> None:
    rule = ruleset.MainCheck(combined_class=0.01)
    (found,) = main_check(load(), load(kwh=check_kwh), span(), rule)
    assert found.status is status


@pytest.mark.parametrize(
    ("highest", "confirmed", "status"),
    [
        # (28 - 10) / 10 = 1.8; 28.1 is beyond it.
        pytest.param(28.0, False, Status.PASS, id="at the ratio"),
        pytest.param(28.1, False, Status.FAIL, id="beyond"),
        pytest.param(28.1, True, Status.WARN, id="its sum is confirmed"),
    ],
)
def test_spike(highest, confirmed, status) -> None:
    kwh = load(2)
    kwh[100:102] = highest, 10.0
    passes = np.array([False, confirmed])
    (found,) = spike(kwh, passes, 200.0, span(2), ruleset.Spike())
    assert found.status is status
    if status is not Status.PASS:
        assert slots(found) == (100, 101)
        assert found.figures["ratio"] == pytest.approx(1.81)


def test_two_high_intervals_are_measured_against_the_third() -> None:
    kwh = load()
    kwh[30:32] = 28.0, 29.0
    (found,) = spike(kwh, np.array([False]), 200.0, span(), ruleset.Spike())
    assert found.figures["ratio"] == pytest.approx(1.9)


@pytest.mark.parametrize(
    ("most_kw", "status"),
    [
        # 5 % of 40 kW x 1/4 h = 0.5 kWh: the third-highest of 0.5 kWh is measured by.
        pytest.param(40.0, Status.FAIL, id="at the least"),
        pytest.param(40.1, Status.SKIPPED, id="too little to say"),
    ],
)
def test_a_spike_over_next_to_nothing_is_none(most_kw, status) -> None:
    kwh = load(kwh=0.5)
    kwh[30] = 9.0
    (found,) = spike(kwh, np.array([False]), most_kw, span(), ruleset.Spike())
    assert found.status is status


def week(kwh=10.0, before=10.0, days=7) -> tuple[Daily, Span]:
    """Days of one energy each interval, after 35 days of another."""
    of_days = Span.of(SEOUL, quarters(96 * days), 15)
    energy = np.broadcast_to(kwh, 96 * days).copy()
    return daily(days_before(before, 35), energy, of_days, SEOUL), of_days


@pytest.mark.parametrize(
    ("kwh", "status"),
    [
        # 96 x 10 kWh = 960 a day are usual.
        pytest.param(4.0, Status.PASS, id="0.4 of it"),
        pytest.param(3.99, Status.FAIL, id="less"),
        pytest.param(18.0, Status.PASS, id="1.8 of it"),
        pytest.param(18.01, Status.FAIL, id="more"),
    ],
)
def test_usage(kwh, status) -> None:
    # Only the seventh day's week has none of the days before in it.
    each, days = week(kwh)
    (found,) = usage(each, days, ruleset.Usage())
    assert found.status is status
    assert found.figures["kwh_a_day"] == pytest.approx(kwh * 96)
    assert found.figures["reference_kwh_a_day"] == 960.0
    if status is Status.FAIL:
        assert (found.start_us, found.stop_us) == (
            START_US + 6 * DAY_US,
            START_US + 7 * DAY_US,
        )


def test_a_day_is_judged_alike_whichever_days_are_settled_with_it() -> None:
    # The seventh day alone, with the six before it as history.
    each, days = week(3.9)
    (found,) = usage(each, days, ruleset.Usage())
    last = Span.of(SEOUL, quarters(96 * 7)[-96:], 15)
    earlier = days_before(10.0, 35)
    history = Series(
        start_us=np.append(earlier.start_us, quarters(96 * 6)),
        kwh=np.append(earlier.kwh, np.full(96 * 6, 3.9)),
        firm=np.ones(96 * 41, dtype=bool),
    )
    alone = daily(history, np.full(96, 3.9), last, SEOUL)
    assert usage(alone, last, ruleset.Usage()) == [found]


def test_usage_waits_for_the_end_of_the_day_and_for_days_to_hold_it_against() -> None:
    part = Span.of(SEOUL, quarters(95), 15)
    each = daily(days_before(100.0, 35), np.full(95, 1.0), part, SEOUL)
    assert usage(each, part, ruleset.Usage())[0].status is Status.SKIPPED
    day = Span.of(SEOUL, quarters(96), 15)
    # Of the four weeks before this week three and a half days must be known.
    for days, status in ((9, Status.SKIPPED), (10, Status.PASS)):
        each = daily(days_before(10.0, days), np.full(96, 10.0), day, SEOUL)
        assert usage(each, day, ruleset.Usage())[0].status is status


@pytest.mark.parametrize(("kwh", "status"), [(20.0, Status.PASS), (20.1, Status.WARN)])
def test_peak(kwh, status) -> None:
    # 40 kW in the week before: twice that are 80 kW, 20 kWh in a quarter of an hour.
    energy = load()
    energy[50] = kwh
    each = daily(days_before(10.0, 7), energy, span(), SEOUL)
    (found,) = peak(each, span(), ruleset.Peak())
    assert found.status is status
    assert found.figures["ratio"] == pytest.approx(kwh / 10)
    assert found.figures["previous_kw"] == 40.0


def test_the_worst_wins() -> None:
    def verdict(status, first, stop):
        return span().verdict("any", status, first, stop, {})

    found = worst(
        [
            verdict(Status.WARN, 0, 4),
            verdict(Status.FAIL, 2, 3),
            verdict(Status.SKIPPED, 0, 96),
            verdict(Status.PASS, 2, 3),
        ],
        quarters(96),
        QUARTER_US,
    )
    assert found[:5].tolist() == [2, 2, 3, 2, 0]


def test_a_severity_can_be_changed() -> None:
    kwh = load()
    kwh[5] = -1.0
    rule = ruleset.Negative(severity=ruleset.Severity.WARN)
    assert negative(kwh, span(), rule)[0].status is Status.WARN
