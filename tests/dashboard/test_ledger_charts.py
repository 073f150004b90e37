"""The calendar and the day as bars: which colour, which height, what each bears."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from accounts.account import Point
from analytics.completeness.ledger import Category, Count, Kind
from analytics.settlement.verdict import Status
from dashboard import theme
from dashboard.ledger_charts import (
    FAILED_MARK,
    calendar_figure,
    colour_of_day,
    day_figure,
)
from reports.completeness_views import DayLedger
from reports.day_ledger import DayDetail, IntervalLine
from reports.writing import Reader
from tests.dashboard import made

BERLIN = ZoneInfo("Europe/Berlin")
MEASURED = Kind(category=Category.MEASURED)
SILENT = Kind(category=Category.MISSING, cause="meter-silent")
ABSENT = Kind(category=Category.MISSING, cause="not-installed")
PLANNED = Kind(category=Category.MISSING, cause="planned-outage")
WAITING = Kind(category=Category.NOT_SETTLED, cause="waiting")
NOT_DUE = Kind(category=Category.NOT_SETTLED, cause="not-due")


def estimated(cause: str = "meter-silent") -> Kind:
    return Kind(category=Category.ESTIMATED, method="linear", cause=cause)


def ledger(*counts: tuple[Kind, int], on: date = date(2026, 3, 9)) -> DayLedger:
    return DayLedger(
        local_day=on,
        counts=tuple(Count(kind=k, intervals=n, import_kwh=None) for k, n in counts),
    )


@pytest.mark.parametrize(
    ("counts", "colour"),
    [
        pytest.param([(MEASURED, 96)], theme.COMPLETE_DAY, id="complete"),
        pytest.param([(MEASURED, 92), (SILENT, 4)], theme.MISSING_DAY[0], id="4.2 %"),
        pytest.param([(MEASURED, 91), (SILENT, 5)], theme.MISSING_DAY[1], id="5.2 %"),
        pytest.param([(MEASURED, 48), (SILENT, 48)], theme.MISSING_DAY[2], id="half"),
        pytest.param(
            [(SILENT, 1), (estimated(), 95)], theme.MISSING_DAY[0], id="worst"
        ),
        pytest.param([(WAITING, 96)], theme.WAITING, id="nobody settled it"),
        pytest.param([(MEASURED, 92), (WAITING, 4)], theme.WAITING, id="some wait"),
        pytest.param(
            [(MEASURED, 46), (SILENT, 2), (WAITING, 48)],
            theme.MISSING_DAY[0],
            id="what waits is not missing",
        ),
        pytest.param(
            [(estimated(), 1), (WAITING, 95)], theme.ESTIMATED_DAY[0], id="both"
        ),
        pytest.param(
            [(MEASURED, 95), (estimated(), 1)], theme.ESTIMATED_DAY[0], id="1"
        ),
        pytest.param(
            [(estimated("between-readings"), 96)], theme.COMPLETE_DAY, id="off"
        ),
        pytest.param([(MEASURED, 48), (NOT_DUE, 48)], theme.COMPLETE_DAY, id="today"),
        pytest.param([(NOT_DUE, 96)], theme.NOTHING_DAY, id="tomorrow"),
        pytest.param([(ABSENT, 96)], theme.NOTHING_DAY, id="no meter"),
        pytest.param([(PLANNED, 96)], theme.NOTHING_DAY, id="planned"),
        # Half of what was due is missing; the other half of the day no meter was there.
        pytest.param(
            [(ABSENT, 48), (MEASURED, 24), (SILENT, 24)],
            theme.MISSING_DAY[2],
            id="of what is due",
        ),
    ],
)
def test_a_day_is_coloured_after_the_worst_of_it(counts, colour) -> None:
    assert colour_of_day(ledger(*counts)) == colour


def test_a_calendar_has_a_row_a_month_and_a_cell_a_day() -> None:
    first = date(2026, 1, 30)
    days = [ledger((MEASURED, 96), on=first + timedelta(days=n)) for n in range(32)]
    figure = calendar_figure(days, Reader())
    (cells,) = figure.data
    assert list(cells.y[:3]) == ["Jan 2026", "Jan 2026", "Feb 2026"]
    assert list(cells.base[:3]) == [29.55, 30.55, 0.55]
    assert cells.customdata[0] == "2026-01-30"
    assert cells.hovertext[0] == "<b>30 Jan 2026</b><br>Measured: 96 / 96"
    # Drawn from below: the newest month comes first.
    assert list(figure.layout.yaxis.categoryarray) == [
        "Mar 2026",
        "Feb 2026",
        "Jan 2026",
    ]
    assert list(calendar_figure(days, Reader(language="zh")).data[0].y[:1]) == [
        "2026-01"
    ]


def test_a_day_on_which_a_rule_failed_is_marked() -> None:
    days = [
        replace(ledger((MEASURED, 96), on=date(2026, 1, 30)), worst=worst)
        for worst in (None, Status.WARN, Status.FAIL)
    ]
    (cells,) = calendar_figure(days, Reader()).data
    assert list(cells.text) == ["", "", FAILED_MARK]
    assert cells.hovertext[2].endswith("96 / 96<br>A rule failed")


def line(place: int, kind: Kind, kwh: float | None) -> IntervalLine:
    """Quarter-hours of the day in autumn with the doubled hour."""
    midnight = datetime(2026, 10, 24, 22, tzinfo=UTC)
    return IntervalLine(
        start=midnight + place * timedelta(minutes=15),
        kind=kind,
        import_kwh=kwh,
        confidence=1.0,
        status=Status.PASS,
    )


def detail(*lines: IntervalLine) -> DayDetail:
    return DayDetail(
        account=made.account(),
        point=Point(point_id=1, account_id=1, name="Main", contract_demand_kw=None),
        local_day=date(2026, 10, 25),
        now=made.NOW,
        counts=(),
        lines=lines,
        rules=None,
        broken=(),
        is_dirty=False,
    )


def test_a_quarter_hour_is_as_high_as_its_energy_and_what_is_not_known_full() -> None:
    lines = [line(0, MEASURED, 50.0), line(1, SILENT, None), line(2, estimated(), 0.0)]
    figure = day_figure(detail(*lines), Reader(zone=BERLIN), chosen=1)
    bars = {bar.name: bar for bar in figure.data}
    assert list(bars) == ["Measured", "Estimated", "Missing"]
    # 6 % of room above the highest; a zero is still there for a finger.
    assert [list(bar.y) for bar in bars.values()] == [[50.0], [53 / 80], [53.0]]
    assert [list(bar.customdata) for bar in bars.values()] == [[0], [2], [1]]
    assert bars["Missing"].text[0] == "<b>00:15</b><br>Missing: meter silent"
    (frame,) = figure.layout.shapes
    assert (frame.x0, frame.x1) == (0.5, 1.5)
    assert not day_figure(detail(*lines), Reader(), chosen=None).layout.shapes


def test_the_doubled_hour_is_named_twice() -> None:
    lines = [line(place, MEASURED, 1.0) for place in range(100)]
    axis = day_figure(detail(*lines), Reader(zone=BERLIN), chosen=None).layout.xaxis
    # 00:00, then 02:00 comes twice, so 03:00 is the 16th quarter-hour.
    assert list(axis.tickvals)[:3] == [0, 16, 28]
    assert list(axis.ticktext)[:3] == ["00:00", "03:00", "06:00"]
    assert axis.range[1] == 99.6
