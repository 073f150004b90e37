"""The meter's own intervals beside its register: the sum check decides."""

from fractions import Fraction

import numpy as np

from analytics.settlement.method import Method, State
from analytics.settlement.profile import LoadProfile
from analytics.settlement.settling import settle_span
from analytics.settlement.verdict import Status
from tests.analytics.settlement.making import (
    QUARTER_US,
    START_US,
    evidence,
    quarters,
    readings,
)

# 0.4 kWh at night, 0.8 by day, 57.6 kWh in the day; one count is 0.1 kWh.
COUNTS = np.where((np.arange(96) >= 32) & (np.arange(96) < 80), 8, 4)
DAY_KWH = 57.6


def profile(counts=COUNTS, rows=None, start_us=None, failed=()) -> LoadProfile:
    starts = quarters(96) if start_us is None else start_us
    rows = np.arange(starts.size) if rows is None else rows
    marked = np.zeros(rows.size, dtype=bool)
    marked[list(failed)] = True
    return LoadProfile(
        start_us=starts[rows],
        length_us=np.full(rows.size, QUARTER_US),
        counts=np.asarray(counts)[rows],
        energy_of_count=Fraction(1, 10),
        power_failure=marked,
    )


def daily(kwh=DAY_KWH):
    """A register read at midnight only."""
    return readings([0, 1440], energy_import_kwh=[100.0, 100.0 + kwh])


def verdicts(settlement, rule):
    return [one for one in settlement.verdicts if one.rule == rule]


def test_intervals_that_sum_to_the_register_are_taken() -> None:
    settlement = settle_span(evidence(daily(), profile=profile()), quarters(96))
    assert settlement.import_kwh.round(9).tolist() == (COUNTS / 10).tolist()
    assert set(settlement.state.tolist()) == {State.MEASURED}
    (found,) = verdicts(settlement, "sum_check")
    assert found.status is Status.PASS
    assert found.figures["difference_kwh"] < 1e-9


def test_intervals_that_do_not_leave_it_to_the_register() -> None:
    # The register counted a kWh more than the intervals: 0.1 % are 0.06 kWh, and a
    # count is 0.01 kWh.
    settlement = settle_span(
        evidence(daily(DAY_KWH + 1), profile=profile()), quarters(96)
    )
    (found,) = verdicts(settlement, "sum_check")
    assert found.status is Status.FAIL
    assert sum(settlement.energies["energy_import_kwh"].quanta.tolist()) == 5860
    assert set(settlement.state.tolist()) == {State.ESTIMATED}


def test_missing_intervals_get_what_the_register_has_left() -> None:
    # Four intervals of 0.4 kWh are missing: 1.6 kWh are left, 0.4 each, evenly.
    rows = np.delete(np.arange(96), [10, 11, 12, 13])
    settlement = settle_span(
        evidence(daily(), profile=profile(rows=rows)), quarters(96)
    )
    assert settlement.import_kwh.round(9).tolist() == (COUNTS / 10).tolist()
    assert settlement.state.tolist()[9:15] == [1, 2, 2, 2, 2, 1]
    assert settlement.energies["energy_import_kwh"].quanta.sum() == 5760


def test_more_than_the_register_counted_cannot_be() -> None:
    rows = np.delete(np.arange(96), [10, 11, 12, 13])
    settlement = settle_span(
        evidence(daily(50.0), profile=profile(rows=rows)), quarters(96)
    )
    (found,) = verdicts(settlement, "sum_check")
    assert found.status is Status.FAIL
    assert settlement.energies["energy_import_kwh"].quanta.sum() == 5000


def test_intervals_alone() -> None:
    alone = readings([], energy_import_kwh=[])
    settlement = settle_span(evidence(alone, profile=profile()), quarters(96))
    assert settlement.import_kwh.round(9).tolist() == (COUNTS / 10).tolist()
    assert verdicts(settlement, "sum_check")[0].status is Status.SKIPPED


def test_a_spike_that_the_register_confirms_is_a_warning_only() -> None:
    counts = COUNTS.copy()
    counts[20] = 80  # 8 kWh, ten times the third-highest
    confirmed = settle_span(
        evidence(daily(DAY_KWH + 7.6), profile=profile(counts)), quarters(96)
    )
    (found,) = verdicts(confirmed, "spike")
    assert found.status is Status.WARN
    assert confirmed.import_kwh[20] == 8.0


def test_a_spike_without_a_register_is_estimated() -> None:
    counts = COUNTS.copy()
    counts[20] = 80
    alone = readings([], energy_import_kwh=[])
    settlement = settle_span(evidence(alone, profile=profile(counts)), quarters(96))
    (found,) = verdicts(settlement, "spike")
    assert (found.status, found.figures["highest_kwh"]) == (Status.FAIL, 8.0)
    assert settlement.import_kwh[20] == 0.4
    assert settlement.method[20] == Method.LINEAR


def test_a_power_failure_is_no_end_of_a_line() -> None:
    rows = np.delete(np.arange(96), [10, 11])
    alone = readings([], energy_import_kwh=[])
    marked = profile(rows=rows, failed=[9])
    settlement = settle_span(evidence(alone, profile=marked), quarters(96))
    assert settlement.state.tolist()[9:13] == [1, 3, 3, 1]
    assert settlement.cause[10] == "no-reading"


def test_repeats_contradictions_and_times_off_the_grid() -> None:
    crooked = START_US + 50 * QUARTER_US + 7
    again = [START_US, START_US + QUARTER_US, crooked]
    starts = np.concatenate([quarters(96), again])
    counts = np.concatenate([COUNTS, [4, 5, 9]])
    alone = readings([], energy_import_kwh=[])
    sent = profile(counts, start_us=starts)
    settlement = settle_span(evidence(alone, profile=sent), quarters(96))
    found = [v for v in verdicts(settlement, "repeats") if v.status is Status.FAIL]
    assert [one.figures for one in found] == [
        {"repeats": 1},
        {"overlaps_at_us": crooked},
    ]
    # Sent as 4 and as 5 counts: neither is believed.
    assert settlement.state.tolist()[:3] == [1, 2, 1]
