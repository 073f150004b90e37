"""What a meter says of itself, as it is kept: codes, where they stand, raw words."""

import struct
from collections.abc import Collection, Sequence
from datetime import datetime

from meters.event import MeterEvent
from meters.modbus_parts import Status
from storage.meter_events import ToldEvents

Read = Sequence[tuple[Status, Sequence[int]]]
"""Status registers, and what they held."""


def told_events(
    meter_id: int, at: datetime, events: Collection[MeterEvent], read: Read
) -> ToldEvents:
    """Return all that a meter says of itself.

    Parameters
    ----------
    meter_id : int
    at : datetime
        By our clock.
    events : collection of MeterEvent
        Those that last.
    read : sequence
        The status registers that were read now; what others said lasts.

    """
    words = [word for _, own in read for word in own]
    return ToldEvents(
        meter_id=meter_id,
        at=at,
        events=[(event.value, _place_of(event, read)) for event in sorted(events)],
        raw=struct.pack(f">{len(words)}H", *words),
    )


def _place_of(event: MeterEvent, read: Read) -> str:
    """Name where a meter says so, for whoever has its manual at hand."""
    for status, words in read:
        for one in status.events:
            if one.code is event:
                held = "".join(f"{word:04X}" for word in words)
                where = f"register {status.address} (manual {status.manual})"
                return f"{where} holds 0x{held}"
    return "a status register that was read before"
