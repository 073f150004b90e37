"""The form of a Modbus meter's profile."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from meters.encoding import Encoding, Order
from meters.form import refuse_repeats
from meters.identity_form import Identity, Ratio
from meters.load_profile_form import LoadProfile
from meters.modbus_parts import (
    ADDRESSES,
    Clock,
    Event,
    Function,
    Measured,
    Pace,
    Part,
    Placed,
    Register,
    ScaleRegister,
    Status,
)
from meters.profile_form import FROM_TEXT, MeterType
from meters.registers import modulus
from meters.scaling import energy_exponent, steps_a_count

__all__ = ["Clock", "Function", "ModbusProfile", "Pace", "Part", "Register"]

LEAST_PAUSE_MS, LONGEST_PAUSE_MS = 0, 10_000
SHORTEST_TIMEOUT_MS, LONGEST_TIMEOUT_MS = 10, 60_000


class BusManners(MeterType):
    """How a meter wants to be asked."""

    transport: Literal["modbus"]
    max_block: int = Field(ge=1, le=125)
    """Most registers one request may ask for."""
    max_gap: int = Field(ge=0, le=124)
    """Most unused registers a request may run over; 0 = the meter has holes."""
    one_request_each: bool = False
    """The meter gives one value a request only."""
    pause_ms: int = Field(default=0, ge=LEAST_PAUSE_MS, le=LONGEST_PAUSE_MS)
    """What the meter needs between an answer and the next request."""
    timeout_ms: int | None = Field(
        default=None, ge=SHORTEST_TIMEOUT_MS, le=LONGEST_TIMEOUT_MS
    )
    """How long an answer may take, where the bus's own time is not enough."""
    turnover: Literal["digits", "bits"] = "digits"
    """Where an energy register starts again: after its digits, or, of `bits`, only when
    its encoding can hold no more, whatever the digits."""


class ModbusProfile(BusManners):
    """All the collector must know about one type of Modbus meter."""

    function: Function
    word_order: Order
    byte_order: Order
    registers: Annotated[tuple[Register, ...], FROM_TEXT] = Field(min_length=1)
    clock: Clock | None = None
    events: Annotated[tuple[Event, ...], FROM_TEXT] = ()
    identity: Annotated[tuple[Identity, ...], FROM_TEXT] = ()
    ratio: Annotated[tuple[Ratio, ...], FROM_TEXT] = ()
    load_profile: LoadProfile | None = None

    @property
    def placed(self) -> Sequence[Part]:
        """Everything that polls read, by table and address."""
        return self.parts()

    def parts(self, pace: Pace | None = None) -> Sequence[Part]:
        """Gather what one poll reads, by table and address; None: everything.

        The clock and the scale registers go with every poll that reads anything.
        """
        registers = [r for r in self.registers if pace in {None, r.pace}]
        parts: list[Part] = [*registers, *self._statuses(pace)]
        parts += self._scale_registers(registers)
        if self.clock is not None and parts:
            parts.append(self.clock)
        return sorted(parts, key=lambda part: (self.function_of(part), part.address))

    @property
    def turn_counts(self) -> int:
        """After how many counts an energy register starts again."""
        turn = modulus(self.register_digits)
        if self.turnover == "digits":
            return turn
        for register in self.registers:
            if register.quantity.is_register and not register.encoding.is_float:
                steps = steps_a_count(
                    register, self.register_resolution, self._exponent_of(register) or 0
                )
                turn = min(turn, (register.encoding.limits[1] + 1) // steps)
        return turn

    @property
    def fixed_words(self) -> dict[int, int]:
        """What stands in every meter of the type, beside what it measures."""
        return {}

    def function_of(self, part: Part | Placed) -> Function:
        """Return the Modbus table in which something stands."""
        return part.function or self.function

    def word_order_of(self, part: object) -> Order:
        """Return the order of words of a part; it may have one of its own."""
        return getattr(part, "word_order", None) or self.word_order

    def byte_order_of(self, part: object) -> Order:
        """Return the order of bytes of a part; it may have one of its own."""
        return getattr(part, "byte_order", None) or self.byte_order

    def scale_key(self, register: Register) -> tuple[Function, int] | None:
        """Name the scale register of a register: its table and its address."""
        if register.scale_register is None:
            return None
        return self.function_of(register), register.scale_register

    def scaled_by(self, key: tuple[Function, int]) -> list[Register]:
        """Find the registers that share a scale register."""
        return [r for r in self.registers if self.scale_key(r) == key]

    def energy_exponent(self, key: tuple[Function, int]) -> int | None:
        """Return what a scale register of energy must say; None: nothing binds it."""
        return energy_exponent(self.scaled_by(key), self.register_resolution)

    def _exponent_of(self, register: Register) -> int | None:
        """Return the power of ten of an energy register; None: none would do."""
        key = self.scale_key(register)
        return self.energy_exponent(key) if key else 0

    def _scale_registers(self, registers: Iterable[Register]) -> list[Part]:
        keys = {self.scale_key(register) for register in registers} - {None}
        return [ScaleRegister(function=k[0], address=k[1]) for k in keys if k]

    def _statuses(self, pace: Pace | None) -> list[Part]:
        """Gather the events of each status register; the fastest sets its pace."""
        groups: dict[tuple[Function, int], list[Event]] = {}
        for event in self.events:
            key = self.function_of(event), event.address
            groups.setdefault(key, []).append(event)
        return [
            Status(
                address=address,
                function=function,
                manual=events[0].manual,
                encoding=Encoding(events[0].encoding),
                events=tuple(events),
                alone=any(event.alone for event in events),
            )
            for (function, address), events in groups.items()
            if pace in {None, min(event.pace for event in events)}
        ]

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        """Check what no single key shows."""
        refuse_repeats("quantity", (register.label for register in self.registers))
        refuse_repeats("ratio", (ratio.name for ratio in self.ratio))
        _refuse_misplaced(self)
        _refuse_split_status(self)
        if all(register.pace == "slow" for register in self.registers):
            raise ValueError("at least one register must be read at the fast pace")
        for register in self.registers:
            if register.quantity.is_register and not register.encoding.is_float:
                _refuse_misfit(self, register, self._exponent_of(register))
        if self.load_profile is not None:
            _refuse_misfit_log(self, self.load_profile)
        return self


def _refuse_misplaced(profile: ModbusProfile) -> None:
    """No two things share a register; each fits into the table and into a request."""
    for part, following in pairwise(profile.placed):
        same_table = profile.function_of(part) == profile.function_of(following)
        if same_table and following.address < part.address + part.words:
            raise ValueError(f"{_span(part)} and {_span(following)} overlap")
    for each in (*profile.placed, *profile.identity, *profile.ratio):
        if each.address + each.words > ADDRESSES:
            raise ValueError(f"{each.label} runs past the last register, 65535")
        if each.words > profile.max_block:
            raise ValueError(
                f"max_block: is {profile.max_block}, but {each.label} takes "
                f"{each.words} registers"
            )


def _span(part: Part) -> str:
    """Say which registers something takes."""
    last = part.address + part.words - 1
    where = f"{part.address} to {last}" if part.words > 1 else f"{last}"
    return f"{part.label} ({where})"


def _refuse_split_status(profile: ModbusProfile) -> None:
    """Events of one status register agree about what it is."""
    for part in profile.placed:
        if isinstance(part, Status):
            encodings = {event.encoding for event in part.events}
            if len(encodings) > 1:
                raise ValueError(
                    f"the events at {part.address} differ in encoding: "
                    f"{' and '.join(sorted(encodings))}"
                )


def _refuse_misfit(
    profile: ModbusProfile, form: Measured, exponent: int | None = 0
) -> None:
    """Check that an integer energy register can show every count up to its turn."""
    digits, resolution = profile.register_digits, profile.register_resolution
    steps = 0 if exponent is None else steps_a_count(form, resolution, exponent)
    if not steps:
        raise ValueError(
            f"register_resolution: is {resolution}, which is no whole number of steps "
            f"of {form.quantity} ({form.scale})"
        )
    most = (modulus(digits) - 1) * steps
    if profile.turnover == "digits" and most > form.encoding.limits[1]:
        raise ValueError(
            f"register_digits: is {digits}, which does not fit {form.encoding} of "
            f"{form.quantity}"
        )


def _refuse_misfit_log(profile: ModbusProfile, log: LoadProfile) -> None:
    """Check that the memory's records can be read, and hold what registers showed."""
    if log.record_words > profile.max_block:
        raise ValueError(
            f"max_block: is {profile.max_block}, but a record of load_profile takes "
            f"{log.record_words} registers"
        )
    spans = {"the window": log.span if log.is_searched else 0}
    if log.channels is not None:
        spans["what a channel tells"] = log.channels.told[1]
    for what, words in spans.items():
        if words > profile.max_block:
            raise ValueError(
                f"max_block: is {profile.max_block}, but {what} of load_profile takes "
                f"{words} registers"
            )
    if log.holds == "intervals":
        return
    for form in log.fields:
        if form.quantity.is_register and not form.encoding.is_float:
            _refuse_misfit(profile, form)
