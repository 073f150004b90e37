"""Who speaks on a topic, and what became of one message that was judged by itself.

One message at a time, with a sentence for whatever is not right: the thorough way, for
what `collector.mqtt.sheet` does not take by the column.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from meters.bounds import Stay, check
from meters.heard import Heard, Message
from meters.meter import Meter, Transport
from meters.payload_error import PayloadError
from meters.payload_rows import RowReader
from meters.reading import Reading
from meters.refusal import MOST_RAW_BYTES, Reason, Refusal

Fault = tuple[Meter | None, PayloadError]
"""What is wrong, and with whose reading, if that is known."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A meter whose payloads are plain."""

    meter: Meter
    stay: Stay
    reader: RowReader


def judge(message: Message, heard: Heard) -> tuple[list[Reading], list[Refusal]]:
    """Sort a message's readings into those believed and those refused."""
    readings: list[Reading] = []
    faults: list[Fault] = list(heard.faults)
    for meter, one in heard.readings:
        objection = check(meter, one.measured_at, one.values, message.arrived_at)
        if objection is not None:
            faults.append((meter, PayloadError(*objection)))
            continue
        readings.append(
            Reading(
                meter_id=meter.meter_id,
                measured_at=one.measured_at,
                received_at=message.arrived_at,
                values=one.values,
            )
        )
    return readings, refusals_of(message, faults) if faults else []


def refusals_of(message: Message, faults: Iterable[Fault]) -> list[Refusal]:
    """Keep a message for the quarantine: once a reason, however much is wrong."""
    by_reason: dict[tuple[int | None, Reason], list[PayloadError]] = {}
    for meter, fault in faults:
        meter_id = None if meter is None else meter.meter_id
        by_reason.setdefault((meter_id, fault.reason), []).append(fault)
    raw = message.payload[:MOST_RAW_BYTES]
    return [
        Refusal(
            reason=reason,
            text=_told(same),
            source=message.topic,
            transport=Transport.MQTT,
            received_at=message.arrived_at,
            raw=raw,
            meter_id=meter_id,
            readings=sum(fault.readings for fault in same),
        )
        for (meter_id, reason), same in by_reason.items()
    ]


def _told(faults: Sequence[PayloadError]) -> str:
    """Tell the first, and how many more there are."""
    more = len(faults) - 1
    first = faults[0].text
    return f"{first.removesuffix('.')} (and {more} more)." if more else first
