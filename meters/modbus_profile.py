"""The form of a Modbus meter's profile."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from meters.encoding import Encoding, Order
from meters.form import refuse_repeats
from meters.profile_form import FROM_TEXT, MeterType, Strict
from meters.quantity import Quantity
from meters.registers import exact, modulus

Function = Literal["input", "holding"]
"""Modbus table: `input` is read with function 4, `holding` with function 3."""

_ADDRESSES = 0x10000


class _Placed(Strict):
    """Something that stands in consecutive Modbus registers."""

    address: int = Field(ge=0, lt=_ADDRESSES)
    """As sent on the wire, from zero."""
    manual: str = Field(min_length=1)
    """The manual's own number for it, such as "30073"."""
    function: Function | None = None
    """Only where it differs from the profile's."""


class Register(_Placed):
    """Where one quantity stands in the meter."""

    quantity: Annotated[Quantity, FROM_TEXT]
    encoding: Annotated[Encoding, FROM_TEXT]
    scale: float = Field(default=1.0, gt=0)
    """The quantity's unit for one unit of the register: 0.001 for Wh to kWh."""
    not_available: int | Literal["nan"] | None = None
    """Bits (or any NaN) by which the meter says that it has no such value."""

    @property
    def words(self) -> int:
        """How many 16-bit registers it takes."""
        return self.encoding.words

    @property
    def label(self) -> str:
        """Its quantity."""
        return self.quantity.value

    @model_validator(mode="after")
    def _sentinel_fits(self) -> Self:
        """Refuse a NaN of a whole number, or more bits than the encoding has."""
        if self.not_available == "nan" and not self.encoding.is_float:
            raise ValueError(f'{self.encoding} has no "nan"; give the bits instead')
        if isinstance(self.not_available, int) and not (
            0 <= self.not_available < 1 << 16 * self.words
        ):
            raise ValueError(f"not_available has more bits than {self.encoding}")
        return self


class Clock(_Placed):
    """Where the meter's own time stands.

    Key-account meters are commissioned in UTC, so that no clock change is ever lost or
    doubled; `zone` is for those that were not.
    """

    encoding: Literal["ti081"]
    """`ti081`: four words, IEC 870-5 type 81: year, month and day, hour and minute,
    milliseconds."""
    zone: str = "UTC"

    @property
    def words(self) -> int:
        """How many 16-bit registers it takes."""
        return 4

    @property
    def label(self) -> str:
        """Its key in the file."""
        return "clock"

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        """Refuse a zone that the time zone database does not know."""
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            raise ValueError(f"there is no time zone {zone!r}") from exc
        return zone


class ModbusProfile(MeterType):
    """All the collector must know about one type of Modbus meter."""

    transport: Literal["modbus"]
    function: Function
    word_order: Order
    byte_order: Order
    max_block: int = Field(ge=1, le=125)
    """Most registers one request may ask for."""
    max_gap: int = Field(ge=0, le=124)
    """Most unused registers a request may run over; 0 = the meter has holes."""
    registers: Annotated[tuple[Register, ...], FROM_TEXT] = Field(min_length=1)
    clock: Clock | None = None

    @property
    def placed(self) -> Sequence[Register | Clock]:
        """Everything to be read, by table and address."""
        parts: list[Register | Clock] = list(self.registers)
        if self.clock is not None:
            parts.append(self.clock)
        return sorted(parts, key=lambda part: (self.function_of(part), part.address))

    def function_of(self, part: Register | Clock) -> Function:
        """Return the Modbus table in which a register or the clock stands."""
        return part.function or self.function

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        """Check what no single key shows."""
        refuse_repeats("quantity", (register.label for register in self.registers))
        _refuse_misplaced(self)
        for register in self.registers:
            if register.quantity.is_register and not register.encoding.is_float:
                _refuse_misfit(register, self.register_digits, self.register_resolution)
        return self


def _refuse_misplaced(profile: ModbusProfile) -> None:
    """No two things share a register; each fits into the table and into a request."""
    for part, following in pairwise(profile.placed):
        same_table = profile.function_of(part) == profile.function_of(following)
        if same_table and following.address < part.address + part.words:
            raise ValueError(f"{_span(part)} and {_span(following)} overlap")
    for part in profile.placed:
        if part.address + part.words > _ADDRESSES:
            raise ValueError(f"{part.label} runs past the last register, 65535")
        if part.words > profile.max_block:
            raise ValueError(
                f"max_block: is {profile.max_block}, but {part.label} takes "
                f"{part.words} registers"
            )


def _span(part: Register | Clock) -> str:
    """Say which registers something takes."""
    return f"{part.label} ({part.address} to {part.address + part.words - 1})"


def _refuse_misfit(register: Register, digits: int, resolution: float) -> None:
    """Check that an integer energy register can show every count up to its turn."""
    per, count = exact(resolution)
    scale_per, scale_count = exact(register.scale)
    steps, rest = divmod(per * scale_count, count * scale_per)
    if rest or not steps:
        raise ValueError(
            f"register_resolution: is {resolution}, which is no whole number of steps "
            f"of {register.label} ({register.scale})"
        )
    if (modulus(digits) - 1) * steps > register.encoding.limits[1]:
        raise ValueError(
            f"register_digits: is {digits}, which does not fit {register.encoding} of "
            f"{register.label}"
        )
