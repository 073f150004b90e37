"""Which of the states that a meter reports itself are alerts. Pure.

One alert for one meter and state, as long as the state lasts. What a meter says of the
supply (a voltage too low, a current too high) is stored, but is nothing to drive out
for: it is left to the judgement of the readings themselves.
"""

from enum import StrEnum

from meters.event import MeterEvent

OPENED = "meter-says-so"
CLOSED = "meter-says-no-more"


class Severity(StrEnum):
    """How soon somebody should look."""

    URGENT = "urgent"
    """Energy is not counted, or somebody interferes."""
    SOON = "soon"
    """It will be so, if nobody looks."""


TOLD = {
    MeterEvent.PHASE_LOSS: Severity.URGENT,
    MeterEvent.REVERSE_CURRENT: Severity.URGENT,
    MeterEvent.MISSING_CURRENT: Severity.URGENT,
    MeterEvent.COVER_OPEN: Severity.URGENT,
    MeterEvent.TERMINAL_COVER_OPEN: Severity.URGENT,
    MeterEvent.MAGNETIC_FIELD: Severity.URGENT,
    MeterEvent.ENERGY_RESET: Severity.URGENT,
    MeterEvent.MEMORY_FAULT: Severity.URGENT,
    MeterEvent.DEVICE_FAULT: Severity.URGENT,
    MeterEvent.PHASE_SEQUENCE: Severity.SOON,
    MeterEvent.BATTERY_LOW: Severity.SOON,
    MeterEvent.CLOCK_RESET: Severity.SOON,
    MeterEvent.CONFIGURATION_CHANGED: Severity.SOON,
}


def kind_of(event: MeterEvent) -> str:
    """Return the kind of an event's alert, which is also the code of its sentence.

    Examples
    --------
    >>> kind_of(MeterEvent.COVER_OPEN)
    'meter-says-cover-open'

    """
    return f"meter-says-{event}"


KINDS = {kind_of(event): event for event in TOLD}
