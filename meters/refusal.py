"""What was refused, why, and what it looked like. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MOST_RAW_BYTES = 64 * 1024
"""As much is kept of what was refused."""


class Reason(StrEnum):
    """Why something a meter sent is not believed: a stable code, counted and shown."""

    NOT_JSON = "not-json"
    NOT_SPARKPLUG = "not-sparkplug"
    BROKEN_COMPRESSION = "broken-compression"
    TOO_LARGE = "too-large"
    NOT_IN_SCHEMA = "not-in-schema"
    WRONG_UNIT = "wrong-unit"
    """The meter states another unit than its profile takes the value in."""
    UNKNOWN_METER = "unknown-meter"
    WRONG_TOPIC = "wrong-topic"
    RETAINED = "retained"
    CLOCK_NOT_SET = "clock-not-set"
    NO_BIRTH = "no-birth"
    SEQUENCE_GAP = "sequence-gap"
    UNKNOWN_METRIC = "unknown-metric"
    NOT_A_NUMBER = "not-a-number"
    OUT_OF_RANGE = "out-of-range"
    NEGATIVE_ENERGY = "negative-energy"
    FAR_FUTURE = "far-future"
    BEFORE_INSTALLATION = "before-installation"
    AFTER_REMOVAL = "after-removal"
    UNDECODABLE = "undecodable"
    MARKED_BAD = "marked-bad"
    """The meter itself says that it is not to be believed."""
    JOURNAL_FULL = "journal-full"
    JOURNAL_DAMAGED = "journal-damaged"

    @property
    def is_of_decoded(self) -> bool:
        """Whether what was refused could be read, and was not believed or not kept."""
        return self in _OF_DECODED


_OF_DECODED = frozenset(
    {
        Reason.WRONG_TOPIC,
        Reason.CLOCK_NOT_SET,
        Reason.OUT_OF_RANGE,
        Reason.NEGATIVE_ENERGY,
        Reason.FAR_FUTURE,
        Reason.BEFORE_INSTALLATION,
        Reason.AFTER_REMOVAL,
        Reason.MARKED_BAD,
        Reason.JOURNAL_FULL,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One piece for the quarantine."""

    reason: Reason
    text: str
    """One sentence for people, naming the field and the value."""
    source: str
    """Where it came from: an MQTT topic, or host:port/unit of a Modbus meter."""
    transport: str
    """modbus or mqtt"""
    received_at: datetime
    raw: bytes
    """The payload or registers as received, cut at `MOST_RAW_BYTES`."""
    meter_id: int | None = None
    readings: int = 1
    """How many readings it held, as far as that can be told."""
