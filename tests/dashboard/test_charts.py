from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from dashboard import charts, theme, thinning
from dashboard.wall_clock import runs_back, wall_clock
from reports.writing import Reader
from tests.dashboard import made

READER = Reader(zone=made.SEOUL, currency="KRW")


def named(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def points(figure) -> int:
    return sum(len(trace.x) for trace in figure.data)


def test_axes_bear_units_and_the_zone() -> None:
    figure = charts.load_figure(made.curve(), READER)
    assert figure.layout.yaxis.title.text == "Load (kW)"
    assert figure.layout.xaxis.title.text == "Local time (Asia/Seoul)"


def test_times_are_those_of_the_account() -> None:
    # The first quarter-hour starts at 15:00 UTC, midnight in Seoul.
    line = named(charts.load_figure(made.curve(), READER), "Measured")
    assert str(line.x[0]) == "2026-03-12T00:00:00"
    assert line.y[0] == 100.0


def test_each_meaning_has_its_one_colour() -> None:
    curve = made.curve(estimated=(3, 4), edited=(5,), missing=(10,))
    figure = charts.load_figure(curve, READER, alerts=[made.alert()], until=made.NOW)
    assert named(figure, "Measured").line.color == theme.MEASURED
    assert named(figure, "Estimated").marker.color == theme.ESTIMATED
    assert named(figure, "Expected").line.color == theme.EXPECTED
    fills = {shape.name: shape.fillcolor for shape in figure.layout.shapes}
    assert fills["Missing"] == theme.MISSING
    assert fills["Alert"] == theme.rgba(theme.ALERT, 0.1)
    times = [str(time)[11:16] for time in named(figure, "Estimated").x]
    assert times == ["00:45", "01:00"]
    by_hand = named(figure, "Edited")
    assert by_hand.marker.color == theme.EDITED
    assert [str(time)[11:16] for time in by_hand.x] == ["01:15"]


def test_a_missing_quarter_hour_is_a_gap_and_not_a_zero() -> None:
    line = named(charts.load_figure(made.curve(missing=(10,)), READER), "Measured")
    assert np.isnan(line.y[10])
    assert line.y[9] == line.y[11] == 100.0


def test_two_years_stay_in_the_budget_and_show_the_peak() -> None:
    load_kw = np.random.default_rng(1).uniform(50, 100, 70_080)
    load_kw[31_337] = 612.56
    figure = charts.load_figure(made.curve(load_kw), READER)
    assert points(figure) <= thinning.POINTS_PER_CHART
    assert np.nanmax(named(figure, "Measured").y) == 612.56


def test_a_far_contract_demand_does_not_flatten_the_load() -> None:
    near = charts.load_figure(made.curve(), READER, contract_kw=150.0)
    far = charts.load_figure(made.curve(), READER, contract_kw=900.0)
    assert [shape.name for shape in near.layout.shapes] == ["Contract demand 150 kW"]
    assert not far.layout.shapes
    assert far.layout.yaxis.range[1] < 200


def test_nothing_known_is_drawn_as_an_empty_day() -> None:
    figure = charts.load_figure(made.curve(np.full(96, np.nan)), READER)
    assert np.isnan(named(figure, "Measured").y).all()


def test_the_doubled_hour_of_autumn_is_broken_not_run_backwards() -> None:
    # New York, 2025-11-02: 01:45 EDT (05:45 UTC) is followed by 01:00 EST.
    start = int(datetime(2025, 11, 2, 5, 30, tzinfo=UTC).timestamp()) * 1_000_000
    moments = start + 900_000_000 * np.arange(4)
    times = wall_clock(moments, ZoneInfo("America/New_York"))
    assert [str(t)[11:16] for t in times] == ["01:30", "01:45", "01:00", "01:15"]
    assert runs_back(times).tolist() == [False, False, True, False]


def test_typical_day_and_duration_curve_show_the_reports_figures() -> None:
    review = made.review()
    typical = charts.typical_figure(review.typical_days, READER)
    assert named(typical, "Median").y.tolist() == [100.0] * 3 * 96
    names = [annotation.text for annotation in typical.layout.annotations]
    assert names[0].startswith("<b>Workday</b>")
    assert "5 days" in names[0]
    assert "no such day in this period" in names[1]
    assert typical.layout.xaxis.title.text == "Time of day (Asia/Seoul)"
    duration = charts.duration_figure(review.duration, READER)
    assert duration.data[0].y.tolist() == [412.0, 100.0]
    assert duration.layout.xaxis.title.text == "Share of the time (%)"


def test_the_band_is_not_drawn_across_a_day_without_one() -> None:
    # Three quarter-hours with a band, two without, three with: 2 x (3 + 3) corners
    # and a break after each stretch.
    curve = made.curve(np.full(8, 100.0))
    for edge in (curve.low_kw, curve.expected_kw, curve.high_kw):
        edge[3:5] = np.nan
    shade = named(charts.load_figure(curve, READER), "Expected band")
    assert shade.fill == "toself"
    assert np.isnan(shade.y).tolist() == 2 * ([False] * 6 + [True])
    assert shade.y[:6].tolist() == [120, 120, 120, 80, 80, 80]
    # The middle of the first quarter-hour, out and back.
    assert [str(shade.x[i])[11:] for i in (0, 5)] == ["00:07:30", "00:07:30"]


def test_an_alert_is_marked_from_where_it_began_not_from_where_it_was_proven() -> None:
    alert = made.alert()
    proven_later = replace(alert, opened_at=alert.opened_at + timedelta(minutes=45))
    figure = charts.load_figure(
        made.curve(), READER, alerts=[proven_later], until=made.NOW
    )
    # Since 04:10 UTC, 13:10 in Seoul; now is 14:10.
    [span] = figure.layout.shapes
    assert (span.x0[11:16], span.x1[11:16]) == ("13:10", "14:10")


def test_the_key_names_each_thing_drawn_once_in_its_colour() -> None:
    curve = made.curve(estimated=(3,), missing=(10, 20))
    figure = charts.load_figure(
        curve, READER, contract_kw=150.0, alerts=[made.alert()], until=made.NOW
    )
    assert not figure.layout.showlegend
    key = {item.name: (item.how, item.colour) for item in charts.key_of(figure)}
    assert key == {
        "Expected band": ("area", theme.rgba(theme.EXPECTED, 0.2)),
        "Expected": ("dashed", theme.EXPECTED),
        "Measured": ("line", theme.MEASURED),
        "Estimated": ("area", theme.ESTIMATED),
        "Missing": ("area", theme.MISSING),
        "Alert": ("area", theme.rgba(theme.ALERT, 0.1)),
        "Contract demand 150 kW": ("dashed", theme.CONTRACT),
    }
    assert len(charts.key_of(figure)) == len(key)
