"""The meter to which a topic is bound: what it says in one message, and what is wrong.

One message at a time, with a sentence for whatever is not right: the thorough way, for
what `collector.mqtt.sheet` does not take by the column.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from collector.mqtt.packets import Message
from meters.bounds import Stay, check
from meters.meter import Meter, Transport
from meters.payload import Parsed, PayloadError, split_payload
from meters.payload_rows import RowReader, row_reader
from meters.profile import MqttProfile
from meters.reading import Reading
from meters.refusal import MOST_RAW_BYTES, Reason, Refusal


@dataclass(frozen=True, slots=True)
class Speaker:
    """A meter and how it speaks."""

    meter: Meter
    profile: MqttProfile
    stay: Stay
    reader: RowReader | None
    """For what is plain; None where the profile is not."""

    @classmethod
    def of(cls, meter: Meter, profile: MqttProfile) -> "Speaker":
        """Bind a meter to its profile."""
        return cls(meter, profile, Stay.of(meter), row_reader(profile))

    def judge(
        self, message: Message, received_at: datetime
    ) -> tuple[list[Reading], list[Refusal]]:
        """Sort a message's readings into those believed and those refused."""
        try:
            parsed, wrong = split_payload(self.profile, _whole(message))
        except PayloadError as exc:
            parsed, wrong = [], [exc]
        readings: list[Reading] = []
        for one in parsed:
            fault = self._fault(one, received_at)
            if fault is not None:
                wrong.append(PayloadError(*fault))
                continue
            readings.append(
                Reading(
                    meter_id=self.meter.meter_id,
                    measured_at=one.measured_at,
                    received_at=received_at,
                    values=one.values,
                )
            )
        if not wrong:
            return readings, []
        return readings, refusals_of(message, received_at, wrong, self.meter.meter_id)

    def _fault(self, one: Parsed, now: datetime) -> tuple[Reason, str] | None:
        """Say why a reading is not believed, if it is not."""
        if one.serial is not None and one.serial != self.meter.serial:
            return Reason.WRONG_TOPIC, (
                f"The payload speaks for meter {one.serial}, its topic belongs to "
                f"meter {self.meter.serial}."
            )
        return check(self.meter, one.measured_at, one.values, now)


def refusals_of(
    message: Message,
    received_at: datetime,
    faults: Iterable[PayloadError],
    meter_id: int | None = None,
) -> list[Refusal]:
    """Keep a message for the quarantine: once a reason, however much is wrong."""
    by_reason: dict[Reason, list[PayloadError]] = {}
    for fault in faults:
        by_reason.setdefault(fault.reason, []).append(fault)
    raw = message.payload[:MOST_RAW_BYTES]
    return [
        Refusal(
            reason=reason,
            text=_told(same),
            source=message.topic,
            transport=Transport.MQTT,
            received_at=received_at,
            raw=raw,
            meter_id=meter_id,
            readings=sum(fault.readings for fault in same),
        )
        for reason, same in by_reason.items()
    ]


def _whole(message: Message) -> bytes:
    """Return the payload, unless it was too large to be kept."""
    if message.size > len(message.payload):
        text = f"The payload has {message.size} bytes and was not read to its end."
        raise PayloadError(Reason.TOO_LARGE, text)
    return message.payload


def _told(faults: Sequence[PayloadError]) -> str:
    """Tell the first, and how many more there are."""
    more = len(faults) - 1
    first = faults[0].text
    return f"{first.removesuffix('.')} (and {more} more)." if more else first
