"""Tells the records of a meter's memory that are believed from those that are not."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from meters.bounds import Objection, check
from meters.load_records import LogRecord
from meters.meter import Meter, Transport
from meters.refusal import Reason, Refusal


def checked(
    meter: Meter,
    records: Sequence[LogRecord],
    at: datetime,
    began: timedelta = timedelta(0),
) -> tuple[list[LogRecord], list[Refusal]]:
    """Part what is believed from what goes to quarantine.

    Parameters
    ----------
    meter : Meter
        Whose memory it is.
    records : sequence of LogRecord
    at : datetime
        When they came.
    began : timedelta
        So long before its time a record began.

    """
    believed: list[LogRecord] = []
    refusals: list[Refusal] = []
    for record in records:
        fault = check(meter, record.measured_at - began, record.values, at)
        fault = _doubt(record) if fault is None else fault
        if fault is None:
            believed.append(record)
        else:
            refusals.append(_refusal(meter, record, fault, at))
    return believed, refusals


def _doubt(record: LogRecord) -> Objection | None:
    """Return what the meter itself has against a record."""
    if not record.is_doubtful:
        return None
    told = ", ".join(f"{quantity} {value}" for quantity, value in record.values.items())
    return Objection(
        Reason.MARKED_BAD,
        f"The meter marked its record of {record.measured_at.isoformat()} as bad: "
        f"{told}.",
    )


def _refusal(
    meter: Meter, record: LogRecord, fault: Objection, at: datetime
) -> Refusal:
    return Refusal(
        reason=fault.reason,
        text=fault.text,
        source=meter.address,
        transport=Transport.MODBUS,
        received_at=at,
        raw=repr(record).encode(),
        meter_id=meter.meter_id,
    )
