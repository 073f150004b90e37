"""The form of what stands in a Modbus meter's registers and is read with every poll."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from meters.encoding import Encoding, Order
from meters.event import MeterEvent
from meters.profile_form import FROM_TEXT, Strict, checked_zone
from meters.quantity import Quantity

Function = Literal["input", "holding"]
"""Modbus table: `input` is read with function 4, `holding` with function 3."""
Pace = Literal["fast", "slow"]
"""`fast` with every poll; `slow` less often."""
Sentinel = int | Literal["nan"]
"""Bits as the manual prints them, or any NaN."""
ClockEncoding = Literal[
    "ti081", "unix32", "since2000", "ymdhms8", "ymdhms16", "ymdhms-bcd"
]
"""`ti081`: four words, IEC 870-5 type 81: year, month and day, hour and minute,
milliseconds. `unix32`, `since2000`: uint32, seconds since 1970 or 2000. `ymdhms8`:
three words, a byte each for year since 2000, month, day, hour, minute and second;
`ymdhms-bcd`: the same in decimal digits; `ymdhms16`: six words."""

ADDRESSES = 0x10000
_CLOCK_WORDS = {"ti081": 4, "unix32": 2, "since2000": 2, "ymdhms16": 6}


class Placed(Strict):
    """Something that stands in consecutive Modbus registers."""

    address: int = Field(ge=0, lt=ADDRESSES)
    """As sent on the wire, from zero."""
    manual: str = Field(min_length=1)
    """The manual's own number for it, such as "30073"."""
    function: Function | None = None
    """Only where it differs from the profile's."""
    alone: bool = False
    """The meter gives it only in a request of its own."""


class Ordered(Strict):
    """Something laid out in an order of its own."""

    word_order: Order | None = None
    """Only where it differs from the profile's."""
    byte_order: Order | None = None
    """Only where it differs from the profile's."""


class Number(Ordered):
    """How one number is laid out, wherever it stands."""

    encoding: Annotated[Encoding, FROM_TEXT]
    scale: float = Field(default=1.0, gt=0)
    """The house unit for one unit of the register: 0.001 for Wh to kWh."""
    reverse: bool = False
    """The meter has the other sign: its positive power is what a plant gives."""
    not_available: (
        Sentinel
        | Annotated[tuple[Sentinel, ...], FROM_TEXT, Field(min_length=1)]
        | None
    ) = None
    """Bits (or any NaN) by which the meter says that it has no such value."""

    @property
    def words(self) -> int:
        """How many 16-bit registers it takes."""
        return self.encoding.words

    @property
    def factor(self) -> float:
        """The scale with its sign."""
        return -self.scale if self.reverse else self.scale

    @property
    def absent_bits(self) -> tuple[int, ...]:
        """Every pattern that means "not available"."""
        return tuple(one for one in self._sentinels if isinstance(one, int))

    @property
    def is_nan_absent(self) -> bool:
        """Whether any NaN means "not available"."""
        return "nan" in self._sentinels

    @property
    def _sentinels(self) -> tuple[Sentinel, ...]:
        given = self.not_available
        if given is None:
            return ()
        return given if isinstance(given, tuple) else (given,)

    @model_validator(mode="after")
    def _sentinel_fits(self) -> Self:
        """Refuse a NaN of a whole number, or more bits than the encoding has."""
        if self.is_nan_absent and not self.encoding.is_float:
            raise ValueError(f'{self.encoding} has no "nan"; give the bits instead')
        if any(not 0 <= bits < 1 << 16 * self.words for bits in self.absent_bits):
            raise ValueError(f"not_available has more bits than {self.encoding}")
        return self


class Measured(Number):
    """How one quantity is laid out, wherever it stands."""

    quantity: Annotated[Quantity, FROM_TEXT]

    @model_validator(mode="after")
    def _counts_up(self) -> Self:
        """Refuse an energy register that is reversed: it would count down."""
        if self.reverse and self.quantity.is_register:
            raise ValueError(
                f"{self.quantity} counts up; name the other direction instead"
            )
        return self

    @property
    def place(self) -> str:
        """Which it is, for people."""
        return self.quantity.value


class Register(Placed, Measured):
    """Where one quantity stands in the meter."""

    scale_register: int | None = Field(default=None, ge=0, lt=ADDRESSES)
    """Address, in the same table, of an int16 power of ten to multiply with too.
    SunSpec calls it a scale factor; -32768 there means that there is no such value."""
    pace: Pace = "fast"

    @property
    def label(self) -> str:
        """Its quantity."""
        return self.quantity.value

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{self.quantity} at {self.address} (manual {self.manual})"


class TimeForm(Strict):
    """How a time is laid out, wherever it stands.

    Key-account meters are commissioned in UTC, so that no clock change is ever lost or
    doubled; `zone` is for those that were not.
    """

    encoding: ClockEncoding
    zone: str = "UTC"
    word_order: Order | None = None
    """Only of `unix32` and `since2000`, and where it differs from the profile's."""

    @property
    def words(self) -> int:
        """How many 16-bit registers it takes."""
        return _CLOCK_WORDS.get(self.encoding, 3)

    @property
    def is_one_number(self) -> bool:
        """Whether the order of words concerns it: fields stand each in its place."""
        return self.encoding in {"unix32", "since2000"}

    _check_zone = field_validator("zone")(checked_zone)


class Clock(Placed, TimeForm):
    """Where the meter's own time stands."""

    @property
    def label(self) -> str:
        """Its key in the file."""
        return "clock"


class Event(Placed):
    """A bit, or a value, of a status register that says what is wrong with a meter."""

    code: Annotated[MeterEvent, FROM_TEXT]
    encoding: Literal["uint16", "uint32"] = "uint16"
    """Of the whole status register."""
    bit: int | None = Field(default=None, ge=0, lt=32)
    """0 is the least significant."""
    when: Literal[0, 1] = 1
    """What the bit is while the event lasts."""
    equals: int | None = Field(default=None, ge=0, lt=1 << 32)
    """Instead of a bit: the register's whole value while the event lasts."""
    pace: Pace = "fast"

    @property
    def words(self) -> int:
        """How many 16-bit registers the status register takes."""
        return Encoding(self.encoding).words

    def is_on(self, status: int) -> bool:
        """Whether a status register says that the event lasts."""
        if self.bit is None:
            return status == self.equals
        return (status >> self.bit & 1) == self.when

    @model_validator(mode="after")
    def _is_bit_or_value(self) -> Self:
        """Refuse none or both, or what the register cannot say."""
        if (self.bit is None) == (self.equals is None):
            raise ValueError("should have either bit or equals")
        if (self.bit or 0) >= 16 * self.words or (self.equals or 0) >> 16 * self.words:
            raise ValueError(f"is beyond what {self.encoding} can hold")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """A status register with all its events: it is read once for them."""

    address: int
    function: Function
    manual: str
    encoding: Encoding
    events: tuple[Event, ...]
    alone: bool

    @property
    def words(self) -> int:
        """How many 16-bit registers it takes."""
        return self.encoding.words

    @property
    def label(self) -> str:
        """What it tells."""
        return "status"


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleRegister:
    """A power of ten that goes with the registers that name it."""

    address: int
    function: Function
    alone: bool = False
    words: int = 1

    @property
    def label(self) -> str:
        """What it is."""
        return "scale register"


Part = Register | Clock | Status | ScaleRegister
"""Whatever a poll reads."""
