"""HTML of an account's meters, as pure functions: values in, escaped text out."""

from collections.abc import Sequence
from html import escape

from dashboard.phrase import note, said
from reports.meter_views import MeterView
from reports.writing import Reader

_COLUMNS = ("table-meter", "table-profile", "table-point", "table-data", "table-clock")


def meters(shown: Sequence[MeterView], reader: Reader) -> str:
    """List meters: serial, type, point, newest reading, clock."""
    if not shown:
        return note("meters-none", reader)
    head = "".join(f"<th>{said(code, reader)}</th>" for code in _COLUMNS)
    rows = "".join(_row(meter, reader) for meter in shown)
    return f'<table class="kw-meters"><tr>{head}</tr>{rows}</table>'


def _row(meter: MeterView, reader: Reader) -> str:
    cells = (
        escape(meter.serial),
        escape(meter.profile),
        escape(meter.point_name),
        _newest(meter, reader),
        _clock(meter, reader),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _newest(meter: MeterView, reader: Reader) -> str:
    told = [
        said("figure-never", reader)
        if meter.age_s is None
        else said("figure-age", reader, age_s=meter.age_s)
    ]
    if meter.offline_at is not None:
        told.append(said("figure-offline", reader, since_at=meter.offline_at))
    elif meter.is_late and meter.age_s is not None:
        told.append(said("figure-late", reader))
    is_wrong = meter.is_late or meter.offline_at is not None
    return _warn(", ".join(told)) if is_wrong else told[0]


def _clock(meter: MeterView, reader: Reader) -> str:
    if meter.drift_s is None:
        return said("clock-unknown", reader)
    if meter.clock_is_right:
        return said("clock-right", reader)
    code = "clock-ahead" if meter.drift_s > 0 else "clock-behind"
    told = said(code, reader, off_s=abs(meter.drift_s))
    return _warn(told) if meter.clock_is_wrong else told


def _warn(told: str) -> str:
    return f'<span class="kw-warn">{told}</span>'
