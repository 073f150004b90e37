"""SunSpec meters: models in a chain, found by walking it. Pure.

A SunSpec device begins with two registers that spell "SunS" at one of three addresses.
Behind them stand models, each with its id, its length and so many registers, up to the
id FFFFh. Which models there are, and so where anything stands, is the device's choice.

Facts are those of the SunSpec Alliance's published models 1, 201 to 204 (integers with
scale registers) and 211 to 214 (float32).
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cache

from meters.encoding import Encoding
from meters.event import MeterEvent
from meters.identity_form import Identity
from meters.modbus_parts import Event, Function, Register, Sentinel
from meters.modbus_profile import ModbusProfile
from meters.quantity import Quantity
from meters.sunspec_form import SunspecForm

BASES = (40000, 0, 50000)
"""Where "SunS" may stand; most devices have it at the first."""
FUNCTION: Function = "holding"
_MARK = (0x5375, 0x6E53)
_END = 0xFFFF
_COMMON = 1
_HEADER = 2
_MOST_MODELS = 200
"""No device was seen with a tenth of it: something else answers."""
_LAST = 0xFFFF


class SunspecError(ValueError):
    """There is no SunSpec meter to be read; the message is one sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """One model of a chain."""

    model_id: int
    address: int
    """Of its id; its points' offsets count from here."""
    length: int
    """Registers behind id and length."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """All models of a device, in their order."""

    base: int
    """Where "SunS" stands."""
    models: tuple[Model, ...]


Walk = Generator[tuple[int, int], Sequence[int] | None, Chain]
"""Yields address and count of holding registers to read, is sent their words or None
for no answer, and returns the chain."""


def walk() -> Walk:
    """Find "SunS", and walk the chain behind it to its end.

    The caller reads what is yielded: `meters` does no reading itself.

    Raises
    ------
    SunspecError
        If "SunS" is nowhere, or the chain has no end.

    """
    for base in BASES:
        words = yield base, len(_MARK)
        if words is not None and tuple(words) == _MARK:
            return Chain(base=base, models=(yield from _models(base + len(_MARK))))
    places = " or ".join(str(base) for base in BASES)
    raise SunspecError(f'There is no "SunS" in the holding registers at {places}.')


def _models(
    address: int,
) -> Generator[tuple[int, int], Sequence[int] | None, tuple[Model, ...]]:
    """Walk from the first model's id to the end."""
    models: list[Model] = []
    while True:
        # The end is one register long, and may be the device's last.
        words = yield address, _HEADER
        if words is None:
            words = yield address, 1
        if words is None:
            raise SunspecError(
                f"The chain of SunSpec models breaks off at {address} without an end."
            )
        if words[0] == _END:
            return tuple(models)
        if len(words) < _HEADER or len(models) == _MOST_MODELS:
            raise SunspecError(f"The chain of SunSpec models has no end at {address}.")
        models.append(Model(model_id=words[0], address=address, length=words[1]))
        address += _HEADER + words[1]
        if address > _LAST:
            raise SunspecError(
                f"SunSpec model {words[0]} at {models[-1].address} runs past the last "
                "register, 65535."
            )


class SunspecProfile(ModbusProfile):
    """The profile of one SunSpec device, or of the usual one before it was walked."""

    form: SunspecForm
    """As entered."""
    chain: Chain
    """Of the device."""

    @property
    def fixed_words(self) -> dict[int, int]:
        """Ids and lengths of the chain: address to word."""
        held = dict(enumerate(_MARK, self.chain.base))
        address = self.chain.base + len(_MARK)
        for model in self.chain.models:
            held |= {model.address: model.model_id, model.address + 1: model.length}
            address = model.address + _HEADER + model.length
        return held | {address: _END, address + 1: 0}


def usual_device(form: SunspecForm) -> SunspecProfile:
    """Return the profile of a device with a common model and one meter, from 40000 on.

    It stands for its type until a device has been walked.
    """
    wanted = 203 if 203 in form.models else form.models[0]  # noqa: PLR2004 - three-phase
    common = Model(model_id=_COMMON, address=BASES[0] + len(_MARK), length=66)
    address = common.address + _HEADER + common.length
    models = [common]
    for _ in range(form.meter):
        length = 124 if wanted > _LAST_INTEGER else 105
        models.append(Model(model_id=wanted, address=address, length=length))
        address += _HEADER + length
    return resolve(form, Chain(base=BASES[0], models=tuple(models)))


@cache
def resolve(form: SunspecForm, chain: Chain) -> SunspecProfile:
    """Return the profile of one device: its own addresses for what it has.

    The same profile for the same chain, so that decoding is laid out once for all
    devices that are built alike.

    Raises
    ------
    SunspecError
        If the chain has no such meter.

    """
    model, common = _meter(form, chain)
    registers = [_register(form, model, point) for point in _points(model)]
    if not registers:
        raise SunspecError(
            f"SunSpec model {model.model_id} at {model.address} has {model.length} "
            "registers only."
        )
    own = {"layout", "meter", "models", "reverse_power", "manual"}
    return SunspecProfile.model_validate(
        form.model_dump(exclude=own)
        | {
            "manual": form.manual,
            "function": FUNCTION,
            "word_order": "big",
            "byte_order": "big",
            "registers": tuple(registers),
            "events": _events(model),
            "identity": () if common is None else _identity(common),
            "form": form,
            "chain": chain,
        }
    )


def _meter(form: SunspecForm, chain: Chain) -> tuple[Model, Model | None]:
    """Find the wanted meter, and the common model that stands before it."""
    common, found = None, 0
    for model in chain.models:
        if model.model_id == _COMMON:
            common = model
        elif model.model_id in form.models:
            found += 1
            if found == form.meter:
                return model, common
    there = ", ".join(str(model.model_id) for model in chain.models) or "none"
    wanted = ", ".join(map(str, form.models))
    raise SunspecError(
        f"The device has {found} SunSpec meters (models {wanted}), not a number "
        f"{form.meter}; its models are {there}."
    )


_LAST_INTEGER = 204
_Q = Quantity
# Quantity, offset from the model's id, scale to house units, offset of the scale
# register. A plant that consumes takes reactive energy in quadrant 1 and gives it in 4.
_Point = tuple[Quantity, int, float, int | None]
_INTEGERS: tuple[_Point, ...] = (
    (_Q.CURRENT_L1_A, 3, 1.0, 6),
    (_Q.CURRENT_L2_A, 4, 1.0, 6),
    (_Q.CURRENT_L3_A, 5, 1.0, 6),
    (_Q.VOLTAGE_L1_V, 8, 1.0, 15),
    (_Q.VOLTAGE_L2_V, 9, 1.0, 15),
    (_Q.VOLTAGE_L3_V, 10, 1.0, 15),
    (_Q.FREQUENCY_HZ, 16, 1.0, 17),
    (_Q.ACTIVE_POWER_KW, 18, 0.001, 22),
    (_Q.ACTIVE_POWER_L1_KW, 19, 0.001, 22),
    (_Q.ACTIVE_POWER_L2_KW, 20, 0.001, 22),
    (_Q.ACTIVE_POWER_L3_KW, 21, 0.001, 22),
    (_Q.REACTIVE_POWER_KVAR, 28, 0.001, 32),
    (_Q.POWER_FACTOR, 33, 0.01, 37),
    (_Q.ENERGY_EXPORT_KWH, 38, 0.001, 54),
    (_Q.ENERGY_IMPORT_KWH, 46, 0.001, 54),
    (_Q.ENERGY_LAGGING_KVARH, 72, 0.001, 104),
    (_Q.ENERGY_LEADING_KVARH, 96, 0.001, 104),
)
_FLOATS: tuple[_Point, ...] = (
    (_Q.CURRENT_L1_A, 4, 1.0, None),
    (_Q.CURRENT_L2_A, 6, 1.0, None),
    (_Q.CURRENT_L3_A, 8, 1.0, None),
    (_Q.VOLTAGE_L1_V, 12, 1.0, None),
    (_Q.VOLTAGE_L2_V, 14, 1.0, None),
    (_Q.VOLTAGE_L3_V, 16, 1.0, None),
    (_Q.FREQUENCY_HZ, 26, 1.0, None),
    (_Q.ACTIVE_POWER_KW, 28, 0.001, None),
    (_Q.ACTIVE_POWER_L1_KW, 30, 0.001, None),
    (_Q.ACTIVE_POWER_L2_KW, 32, 0.001, None),
    (_Q.ACTIVE_POWER_L3_KW, 34, 0.001, None),
    (_Q.REACTIVE_POWER_KVAR, 44, 0.001, None),
    (_Q.POWER_FACTOR, 52, 1.0, None),
    (_Q.ENERGY_EXPORT_KWH, 60, 0.001, None),
    (_Q.ENERGY_IMPORT_KWH, 68, 0.001, None),
    (_Q.ENERGY_LAGGING_KVARH, 92, 0.001, None),
    (_Q.ENERGY_LEADING_KVARH, 116, 0.001, None),
)
_ABSENT: dict[Encoding, Sentinel] = {
    Encoding.INT16: 0x8000,
    Encoding.UINT32: 0xFFFFFFFF,
    Encoding.FLOAT32: "nan",
}
_POWERS = {
    _Q.ACTIVE_POWER_KW,
    _Q.ACTIVE_POWER_L1_KW,
    _Q.ACTIVE_POWER_L2_KW,
    _Q.ACTIVE_POWER_L3_KW,
    _Q.REACTIVE_POWER_KVAR,
}
_EVENT_BITS = {
    2: MeterEvent.POWER_FAILURE,
    3: MeterEvent.UNDERVOLTAGE,
    4: MeterEvent.LOW_POWER_FACTOR,
    5: MeterEvent.OVERCURRENT,
    6: MeterEvent.OVERVOLTAGE,
    7: MeterEvent.PHASE_LOSS,
}
"""Of `Evt`; bit 7 is called "missing sensor". Bits above are the maker's own."""
_TEXTS = (("maker", 2, 16), ("model", 18, 16), ("firmware", 42, 8), ("serial", 50, 16))
"""Of the common model: name, offset from its id, registers."""


def _points(model: Model) -> list[_Point]:
    """Return the points that a model is long enough for."""
    layout = _FLOATS if model.model_id > _LAST_INTEGER else _INTEGERS
    end = model.length + _HEADER
    return [p for p in layout if max(p[1], p[3] or 0) + 2 <= end]


def _register(form: SunspecForm, model: Model, point: _Point) -> Register:
    """Place one point of a meter model."""
    quantity, offset, scale, scale_offset = point
    address = model.address + offset
    encoding, scale_register = Encoding.FLOAT32, None
    if scale_offset is not None:
        encoding = Encoding.UINT32 if quantity.is_register else Encoding.INT16
        scale_register = model.address + scale_offset
    return Register(
        quantity=quantity,
        address=address,
        manual=_number(address),
        encoding=encoding,
        scale=scale,
        reverse=form.reverse_power and quantity in _POWERS,
        not_available=_ABSENT[encoding],
        scale_register=scale_register,
    )


def _number(address: int) -> str:
    """Name a register as SunSpec does: the first is 1."""
    return str(address + 1)


def _events(model: Model) -> tuple[Event, ...]:
    """Place the bits of `Evt`, the last two registers of a meter model."""
    offset = 124 if model.model_id > _LAST_INTEGER else 105
    if offset + 2 > model.length + _HEADER:
        return ()
    return tuple(
        Event(
            code=code,
            address=model.address + offset,
            manual=_number(model.address + offset),
            encoding="uint32",
            bit=bit,
        )
        for bit, code in _EVENT_BITS.items()
    )


def _identity(common: Model) -> tuple[Identity, ...]:
    """Place maker, type, version and serial number."""
    return tuple(
        Identity.model_validate(
            {
                "name": name,
                "address": common.address + offset,
                "manual": _number(common.address + offset),
                "encoding": "string",
                "length": length,
            }
        )
        for name, offset, length in _TEXTS
        if offset + length <= common.length + _HEADER
    )
