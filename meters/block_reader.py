"""How one block's words become numbers: laid out once, since polls repeat. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isnan
from operator import itemgetter
from struct import Struct, error, unpack

from meters.blocks import Block
from meters.encoding import FORMAT, DecodeError
from meters.modbus_parts import Clock, Function, Part, Register, ScaleRegister, Status
from meters.modbus_profile import ModbusProfile
from meters.quantity import Quantity
from meters.registers import exact

ScaleKey = tuple[Function, int]
"""A scale register's table and address."""
_WORD = range(0x10000)


@dataclass(frozen=True, slots=True)
class BlockReader:
    """Takes the numbers out of a block's words."""

    block: Block
    pick: Callable[[Sequence[int]], Sequence[int]]
    """Takes the words of all numbers out of the block's, most significant first."""
    words: Struct
    """Packs them; swaps the bytes of each where the profile says so."""
    layout: Struct
    """Unpacks them as the numbers they carry, the clock's words last."""
    values: tuple[tuple[Quantity, int, int, float | None, bool], ...]
    """Quantity, scale as a fraction, raw value and whether NaN mean not available."""
    clock: Clock | None
    further: "Further | None"
    """What few meters have."""

    def numbers(self, words: Sequence[int]) -> tuple[float, ...]:
        """Return the raw numbers in a block, the clock's words last."""
        picked = self.pick(words)
        try:
            return self.layout.unpack(self.words.pack(*picked))
        except error as exc:
            wrong = [word for word in words if word not in _WORD]
            raise DecodeError(
                f"registers {self.block.address} to "
                f"{self.block.address + self.block.count - 1}: {wrong} are not words "
                "of 16 bits"
            ) from exc


@dataclass(frozen=True, slots=True)
class Further:
    """What of a block needs more than one multiplication.

    An index is that of a number in the block's layout.
    """

    scales: tuple[tuple[ScaleKey, int], ...]
    """Scale register and index."""
    scaled: tuple[tuple[Register, ScaleKey, int, float | None, bool], ...]
    """Register, its scale register, index, what means not available."""
    statuses: tuple[tuple[Status, int], ...]
    """Status register and index."""
    odd: tuple[tuple[Register, int], ...]
    """Register and where it stands in the block: decoded word by word."""


def reader_of(profile: ModbusProfile, block: Block) -> BlockReader:
    """Lay out how a block is read: all of the profile that stands in it.

    That may be more than was planned for it, where a block of fast registers runs over
    slow ones; and less, where only a part of a planned block was asked.
    """
    parts = list(_within(profile, block))
    numbers, odd = _sorted_out(profile, parts)
    order: list[int] = []
    layout = ">"
    for part in numbers:
        at = part.address - block.address
        own = range(at, at + part.words)
        order += reversed(own) if _is_turned(profile, part) else own
        layout += _format_of(part)
    swapped = "<" if profile.byte_order == "little" else ">"
    return BlockReader(
        block=block,
        pick=_picker(order),
        words=Struct(f"{swapped}{len(order)}H"),
        layout=Struct(layout),
        values=tuple(
            (part.quantity, *exact(part.factor), *_absent(part))
            for part in numbers
            if isinstance(part, Register) and part.scale_register is None
        ),
        clock=next((part for part in numbers if isinstance(part, Clock)), None),
        further=_further(
            profile, numbers, [(p, p.address - block.address) for p in odd]
        ),
    )


def _within(profile: ModbusProfile, block: Block) -> Iterator[Part]:
    """Find what stands wholly in a block."""
    end = block.address + block.count
    for part in profile.placed:
        is_in = block.address <= part.address and part.address + part.words <= end
        if part.alone:
            is_in = part.address == block.address and part.words == block.count
        if is_in and profile.function_of(part) == block.function:
            yield part


def _sorted_out(
    profile: ModbusProfile, parts: Sequence[Part]
) -> tuple[list[Part], list[Register]]:
    """Divide into what one unpacking takes, the clock last, and the odd."""
    odd = [p for p in parts if isinstance(p, Register) and _is_odd(profile, p)]
    numbers = [part for part in parts if part not in odd]
    return sorted(numbers, key=_rank), odd


def _is_odd(profile: ModbusProfile, register: Register) -> bool:
    """Whether one unpacking of all is not enough for a register."""
    return (
        not register.encoding.is_plain
        or profile.byte_order_of(register) != profile.byte_order
        or len(register.absent_bits) + register.is_nan_absent > 1
    )


def _rank(part: Part) -> int:
    if isinstance(part, Register):
        return 0 if part.scale_register is None else 1
    return 3 if isinstance(part, Clock) else 2


def _is_turned(profile: ModbusProfile, part: Part) -> bool:
    """Whether the word at the highest address is the most significant."""
    if isinstance(part, Clock) and not part.is_one_number:
        return False
    return profile.word_order_of(part) == "little"


def _format_of(part: Part) -> str:
    if isinstance(part, Clock):
        return f"{part.words}H"
    if isinstance(part, ScaleRegister):
        return "h"
    return FORMAT[part.encoding]


def _further(
    profile: ModbusProfile, numbers: Sequence[Part], odd: Sequence[tuple[Register, int]]
) -> Further | None:
    """Gather what needs more than one multiplication; None if nothing does."""
    scaled: list[tuple[Register, ScaleKey, int, float | None, bool]] = []
    scales: list[tuple[ScaleKey, int]] = []
    statuses: list[tuple[Status, int]] = []
    for at, part in enumerate(numbers):
        if isinstance(part, ScaleRegister):
            scales.append(((part.function, part.address), at))
        elif isinstance(part, Status):
            statuses.append((part, at))
        elif isinstance(part, Register):
            key = profile.scale_key(part)
            if key is not None:
                scaled.append((part, key, at, *_absent(part)))
    if not (scaled or scales or statuses or odd):
        return None
    return Further(tuple(scales), tuple(scaled), tuple(statuses), tuple(odd))


def _picker(order: Sequence[int]) -> Callable[[Sequence[int]], Sequence[int]]:
    """Take words by their index, as a sequence, also of one or none."""
    if len(order) > 1:
        return itemgetter(*order)
    if not order:
        return lambda _: ()
    (only,) = order
    return lambda words: (words[only],)


def _absent(register: Register) -> tuple[float | None, bool]:
    """Return the raw number, and whether NaN, that stand for "not available"."""
    if not register.absent_bits:
        return None, register.is_nan_absent
    bits = register.absent_bits[0].to_bytes(2 * register.words)
    number: float = unpack(f">{FORMAT[register.encoding]}", bits)[0]
    return number, isnan(number)
