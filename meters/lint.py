"""What is allowed in a profile but is seldom meant. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, log2

from meters.blocks import Placeable
from meters.encoding import Encoding
from meters.identity_form import Identity, Ratio
from meters.load_profile_form import LoadProfile
from meters.modbus_parts import Clock, Function, Measured, Register
from meters.modbus_profile import ModbusProfile
from meters.mqtt_profile import MqttProfile
from meters.quantity import REGISTERS, Quantity
from meters.registers import modulus
from meters.request_plan import polls_of, requests_with
from meters.sunspec import SunspecProfile

_FRACTION_BITS = {Encoding.FLOAT32: 23, Encoding.FLOAT64: 52}
_MANY = 4
"""Requests that a poll may take before it is worth looking for fewer."""
_FEW_KWH = 1e6
"""A year of a mean load of 114 kW."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubt:
    """Something that its writer should look at again."""

    code: str
    """Stable, for scripts."""
    text: str
    """One sentence: what, where, what to do."""
    is_note: bool = False
    """It is often meant: to be known, not to be mended."""


def doubts_about(profile: ModbusProfile | MqttProfile) -> tuple[Doubt, ...]:
    """Return what seems wrong with a profile that the form accepted."""
    doubts = list(_about_energy(profile))
    if isinstance(profile, ModbusProfile):
        doubts += _about_steps(profile)
        doubts += _about_manual(profile)
        doubts += _about_requests(profile)
        doubts += _about_clock(profile)
        doubts += _about_overlaps(profile)
    return tuple(doubts)


def _about_energy(profile: ModbusProfile | MqttProfile) -> Iterator[Doubt]:
    places = profile.registers if isinstance(profile, ModbusProfile) else profile.fields
    given = {place.quantity for place in places}
    if not given.intersection(REGISTERS):
        yield Doubt(
            code="no-energy",
            text="There is no energy register: intervals cannot be settled from it.",
        )
    elif Quantity.ENERGY_IMPORT_KWH not in given:
        yield Doubt(
            code="no-import",
            text="energy_import_kwh is missing: what a plant takes cannot be billed.",
        )
    turn = modulus(profile.register_digits) * profile.register_resolution
    if turn < _FEW_KWH:
        yield Doubt(
            code="early-turnover",
            text=f"The energy registers start again after {turn:,.0f} kWh: look at "
            "register_digits and register_resolution again.",
        )


def _about_steps(profile: ModbusProfile) -> Iterator[Doubt]:
    """Doubt floats: once great enough they cannot tell single counts."""
    turn = modulus(profile.register_digits) * profile.register_resolution
    coarse: dict[tuple[Encoding, float], list[str]] = {}
    for form in profile.registers:
        if form.quantity.is_register and form.encoding.is_float:
            begin = coarse_from(form, profile.register_resolution)
            if begin < turn:
                coarse.setdefault((form.encoding, begin), []).append(form.label)
    for (encoding, begin), labels in coarse.items():
        yield Doubt(
            code="coarse-steps",
            text=f"{', '.join(labels)}: from {begin:,.0f} kWh (kvarh) on, a {encoding} "
            f"cannot tell single counts of {profile.register_resolution}; take a wider "
            "register if the meter has one.",
        )


def coarse_from(form: Measured, resolution: float) -> float:
    """Return from which value on a float's steps are coarser than one count.

    Examples
    --------
    >>> energy = Measured(quantity="energy_import_kwh", encoding="float32")
    >>> coarse_from(energy, 0.01)
    131072.0

    """
    # The step from 2**k on is 2**(k - bits): the least k whose step is more than one.
    k = floor(log2(resolution / form.scale)) + 1 + _FRACTION_BITS[form.encoding]
    return float(2**k) * form.scale


def _about_manual(profile: ModbusProfile) -> Iterator[Doubt]:
    """Doubt a number that does not run beside the addresses: it is often a slip."""
    offsets: dict[Function, list[tuple[str, str, int]]] = {"input": [], "holding": []}
    for part in _written(profile):
        number = _number(part.manual)
        if number is None:
            yield Doubt(
                code="no-manual-number",
                text=f"{part.label} at {part.address}: {part.manual!r} is no register "
                "number of a manual, so nobody can check the address.",
            )
        else:
            table = offsets[profile.function_of(part)]
            table.append((part.label, part.manual, number - part.address))
    # Manuals that count input registers from 30001 count the holding ones from 40001.
    for table in offsets.values():
        yield from _unlike_the_rest(table)


def _unlike_the_rest(table: Sequence[tuple[str, str, int]]) -> Iterator[Doubt]:
    """Doubt the offsets of a table's registers that are not as most of it."""
    counted = Counter(offset for *_, offset in table).most_common(1)
    for label, manual, offset in table:
        usual, times = counted[0]
        if offset != usual and 2 * times > len(table):
            yield Doubt(
                code="manual-offset",
                text=f"{label}: address and the manual's {manual} are {offset} apart; "
                f"elsewhere in the file it is {usual}.",
            )


def _about_requests(profile: ModbusProfile) -> Iterator[Doubt]:
    polls = polls_of(profile)
    for request in polls.whole:
        # In a SunSpec model every register exists.
        if request.wasted and not isinstance(profile, SunspecProfile):
            yield Doubt(
                is_note=True,
                code="gap-bridged",
                text=f"The request of {request.count} registers from {request.address} "
                f"runs over {request.wasted} that no key names: a meter with holes "
                "refuses it whole; max_gap = 0 avoids that.",
            )
    fewest = requests_with(profile, max_gap=profile.max_block - 1)
    if len(polls.whole) > max(_MANY, 2 * fewest) and not profile.one_request_each:
        yield Doubt(
            is_note=True,
            code="many-requests",
            text=f"A poll takes {len(polls.whole)} requests; {fewest} would do if the "
            "meter lets a request run over unused registers (max_gap).",
        )


def _about_clock(profile: ModbusProfile) -> Iterator[Doubt]:
    clock = profile.clock
    if clock is not None and clock.zone != "UTC" and clock.encoding != "ti081":
        yield Doubt(
            code="ambiguous-clock",
            text=f"clock: {clock.encoding} in {clock.zone} cannot tell the two hours "
            "apart that come at the end of summer time; set the meter to UTC.",
        )


def _about_overlaps(profile: ModbusProfile) -> Iterator[Doubt]:
    """Two things that polls read never share a register: the form refuses that."""
    once = [_span(profile, part) for part in _read_once(profile)]
    polled = [_span(profile, part) for part in profile.placed]
    for at, one in enumerate(once):
        for other in (*once[at + 1 :], *polled):
            begin = max(one.begin, other.begin)
            if one.function == other.function and begin < min(one.end, other.end):
                yield Doubt(
                    code="overlap",
                    text=f"{one.label} and {other.label} share registers from {begin} "
                    "on; say alone = true if the meter gives another value there when "
                    "it is asked for that alone.",
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Span:
    """Consecutive registers and what stands in them."""

    label: str
    function: str
    begin: int
    end: int


def _span(profile: ModbusProfile, part: Placeable) -> _Span:
    words = part.span if isinstance(part, LoadProfile) else part.words
    return _Span(
        label=part.label,
        function=part.function or profile.function,
        begin=part.address,
        end=part.address + words,
    )


def _read_once(profile: ModbusProfile) -> list[Placeable]:
    """Whatever is not read with every poll, and not alone."""
    parts: list[Placeable] = [*profile.identity, *profile.ratio]
    log = profile.load_profile
    if log is not None:
        parts += [p for p in (log, log.newest, log.count) if p is not None]
    return [part for part in parts if not part.alone]


def _written(profile: ModbusProfile) -> list[Register | Clock | Identity | Ratio]:
    """Whatever a person wrote a manual's number beside."""
    clock = [] if profile.clock is None else [profile.clock]
    return [*profile.registers, *clock, *profile.identity, *profile.ratio]


def _number(manual: str) -> int | None:
    """Read a manual's number: decimal, or hexadecimal as 0x10, 10h or $10."""
    text = manual.strip().lower().removeprefix("$")
    is_hex = text.startswith("0x") or text.endswith("h") or manual.startswith("$")
    try:
        return int(text.removesuffix("h"), 16 if is_hex else 10)
    except ValueError:
        return None
