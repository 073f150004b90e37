"""The form of a meter's load-profile memory: how its interval records are kept.

Two ways of access cover what manuals describe. In a `ring` every record has registers
of its own, and the newest overwrites the oldest. In a `window` the same registers show
whatever record was selected by writing to the meter: its sequence number (SATEC,
ENTES), its age (ABB, demand), or a time. Where the records from a time on are searched
in the meter, a command shows the next ones (ABB A43, load profile); such a meter may
keep each quantity in a channel of its own, and tell which.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from meters.encoding import Encoding
from meters.form import refuse_repeats
from meters.modbus_parts import ADDRESSES, ClockEncoding, Measured, Placed, TimeForm
from meters.profile_form import FROM_TEXT, Strict

_Whole = Literal["uint16", "uint32"]
_OBIS_NUMBERS = 6


class RecordTime(TimeForm):
    """The time in a record."""

    offset: int = Field(ge=0, lt=125)
    """From the record's first register."""


class RecordField(Measured):
    """A quantity in a record."""

    offset: int = Field(ge=0, lt=125)
    """From the record's first register."""
    obis: str | None = None
    """Where a channel holds one quantity: by which code the meter names this one."""

    @property
    def obis_words(self) -> tuple[int, ...] | None:
        """The code in three registers, its first number in the high byte."""
        if self.obis is None:
            return None
        numbers = [int(number) for number in self.obis.split(".")]
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return tuple(high << 8 | low for high, low in pairs)

    @field_validator("obis")
    @classmethod
    def _is_six_bytes(cls, given: str | None) -> str | None:
        """Refuse what is no OBIS code."""
        numbers = [] if given is None else given.split(".")
        are_bytes = all(n.isdecimal() and int(n) <= 0xFF for n in numbers)  # noqa: PLR2004 - a byte
        if given is not None and not (are_bytes and len(numbers) == _OBIS_NUMBERS):
            raise ValueError("should be six numbers up to 255, as in 1.0.1.8.0.255")
        return given


class RecordFlag(Strict):
    """A bit of a record by which the meter says something of the interval."""

    offset: int = Field(ge=0, lt=125)
    """Of its word, from the record's first register."""
    bit: int = Field(ge=0, lt=16)
    """0 is the least significant."""
    when: Literal[0, 1] = 1
    """What the bit is where it is so."""

    def is_on(self, record: Sequence[int]) -> bool:
        """Whether a record's words say so."""
        return (record[self.offset] >> self.bit & 1) == self.when


class Pointer(Placed):
    """A register that counts records."""

    encoding: _Whole = "uint16"

    @property
    def words(self) -> int:
        """How many 16-bit registers it takes."""
        return Encoding(self.encoding).words

    @property
    def label(self) -> str:
        """What it is."""
        return "pointer"


class Newest(Pointer):
    """Which record is the newest: its place in the ring, or its sequence number."""

    is_next: bool = False
    """The register says where the next record will go: one after the newest."""


class Select(Placed):
    """Where to write which record the window shall begin with."""

    by: Literal["sequence", "age", "time"]
    encoding: _Whole | ClockEncoding = "uint16"
    """Of what is written: a time by its clock's encoding."""
    zone: str = "UTC"
    newest_is: int = Field(default=0, ge=0, le=1)
    """Of `age`: the number of the newest record; in some meters 0 is the interval that
    still runs."""
    onward: Literal["newer", "older"] = "newer"
    """Which records follow the selected one in the window."""

    @property
    def time(self) -> RecordTime:
        """How the time is laid out that is written."""
        form = {"offset": 0, "encoding": self.encoding, "zone": self.zone}
        return RecordTime.model_validate(form)


class Write(Placed):
    """A value that is written after the selection, such as a command to load."""

    value: int = Field(ge=0, lt=0x10000)


class Channels(Placed):
    """Where to write which channel shall be shown, and where it tells what it holds."""

    count: int = Field(ge=1, le=99)
    """They are numbered from 1 on."""
    obis: Placed
    """Three registers: the code of the channel's quantity."""
    scaler: Placed
    """An int16: its values are to be multiplied with ten to the power of it."""
    interval: Placed
    """A uint32: minutes from one record to the next."""

    @property
    def told(self) -> tuple[int, int]:
        """First register of what a channel tells, and how many there are."""
        parts = ((self.obis, 3), (self.scaler, 1), (self.interval, 2))
        first = min(part.address for part, _ in parts)
        return first, max(part.address + words for part, words in parts) - first


class LoadProfile(Placed):
    """Where and how a meter keeps its interval records."""

    access: Literal["ring", "window"]
    capacity: int = Field(ge=1, le=1_000_000)
    """How many records it keeps."""
    record_words: int = Field(ge=1, le=125)
    """Registers from one record to the next."""
    interval_s: int = Field(ge=60, le=86_400)
    """Length of an interval as set in the meter."""
    holds: Literal["registers", "intervals"]
    """`registers`: what the energy registers showed at the record's time; `intervals`:
    the energy of the record's interval alone."""
    stamp: Literal["end", "start"] = "end"
    """Which end of its interval a record's time is."""
    window: int = Field(default=1, ge=1, le=125)
    """How many records the window shows at once."""
    time: RecordTime
    fields: Annotated[tuple[RecordField, ...], FROM_TEXT] = Field(min_length=1)
    power_failure: RecordFlag | None = None
    """Of `intervals`: the supply was off for some of the interval."""
    available: RecordFlag | None = None
    """The record has a value at all."""
    bad_value: RecordFlag | None = None
    """The meter itself doubts the value."""
    clock_set: RecordFlag | None = None
    """The meter's clock was set during the interval."""
    newest: Newest | None = None
    count: Pointer | None = None
    """How many records there are; without it, as many as the capacity."""
    modulo: int | None = Field(default=None, ge=2, le=1 << 32)
    """Of sequence numbers: they start again at 0 after this many."""
    select: Select | None = None
    writes: Annotated[tuple[Write, ...], FROM_TEXT] = ()
    """In the order in which they are written, after the selection."""
    next: Write | None = None
    """By time towards older ones: the command that shows the records which follow those
    in the window."""
    channels: Channels | None = None
    """Where each quantity has a channel of its own; `fields` name their `obis` then."""

    @property
    def words(self) -> int:
        """How many 16-bit registers one record takes."""
        return self.record_words

    @property
    def label(self) -> str:
        """Its key in the file."""
        return "load_profile"

    @property
    def is_searched(self) -> bool:
        """Whether the meter searches a time and goes on from it to older records."""
        return self.next is not None

    @property
    def span(self) -> int:
        """How many registers the ring, or the window, takes."""
        shown = self.capacity if self.access == "ring" else self.window
        return shown * self.record_words

    @property
    def turn(self) -> int:
        """After how many records their numbers start again at 0."""
        if self.access == "ring":
            return self.capacity
        words = self.newest.words if self.newest is not None else 2
        return self.modulo or 1 << 16 * words

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        """Check what no single key shows."""
        refuse_repeats("quantity", (field.quantity.value for field in self.fields))
        parts: list[RecordTime | RecordField] = [self.time, *self.fields]
        for part in parts:
            if part.offset + part.words > self.record_words:
                raise ValueError(f"a record has {self.record_words} registers only")
        if self.power_failure is not None and self.holds == "registers":
            raise ValueError("power_failure is of intervals, not of registers")
        flags = (self.power_failure, self.available, self.bad_value, self.clock_set)
        if any(flag and flag.offset >= self.record_words for flag in flags):
            raise ValueError(f"a record has {self.record_words} registers only")
        if self.address + self.span > ADDRESSES:
            raise ValueError("runs past the last register, 65535")
        if self.access == "ring" and (self.newest is None or self.select is not None):
            raise ValueError("a ring needs newest, and no select")
        if self.access == "window" and self.select is None:
            raise ValueError("a window needs select")
        if self.select is not None:
            self._select_is_sound(self.select)
        self._channels_are_sound()
        return self

    def _select_is_sound(self, select: Select) -> None:
        """Check that what is selected can be known and written."""
        is_number = select.encoding in {"uint16", "uint32"}
        if is_number == (select.by == "time"):
            raise ValueError(f"select by {select.by} cannot write {select.encoding}")
        if select.by == "sequence" and self.newest is None:
            raise ValueError("select by sequence needs newest")
        is_back_in_time = select.by == "time" and select.onward == "older"
        if is_back_in_time != self.is_searched:
            raise ValueError('select by time towards "older" records goes with next')

    def _channels_are_sound(self) -> None:
        """Check that every quantity can be found in a channel."""
        if self.channels is not None and not self.is_searched:
            raise ValueError("channels go with select by time and next")
        named = [field.obis for field in self.fields if field.obis is not None]
        refuse_repeats("obis", named)
        if len(named) != (len(self.fields) if self.channels is not None else 0):
            raise ValueError(
                "each field needs its obis with channels, and none without"
            )
