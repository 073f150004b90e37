"""Who a meter says it is, and which ratios it was given. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import isnan

from meters.blocks import Block, Placeable, plan_parts
from meters.encoding import (
    DecodeError,
    Encoding,
    bits_of,
    number_in,
    words_of,
)
from meters.identity_form import Identity
from meters.layout import decode_number, encode_number
from meters.modbus_profile import ModbusProfile
from meters.ratios import RatioName, Ratios, ratios_of
from meters.registers import exact

_WILD = str.maketrans("*?", "00")


@dataclass(frozen=True, kw_only=True, slots=True)
class Identified:
    """What a meter said of itself."""

    told: tuple[tuple[str, int | str], ...]
    """Name and value of each identity register that answered."""
    fits: bool | None
    """Whether it is of the profile's type; None: the profile expects nothing."""

    @property
    def serial(self) -> str | None:
        """Its serial number, as text."""
        found = (str(value) for name, value in self.told if name == "serial")
        return next(found, None)


def plan_identity(profile: ModbusProfile) -> tuple[Block, ...]:
    """Return the requests that read who a meter is; none if its type does not say."""
    return plan_parts(profile, profile.identity)


def plan_ratios(profile: ModbusProfile) -> tuple[Block, ...]:
    """Return the requests that read the ratios set in a meter."""
    return plan_parts(profile, profile.ratio)


def decode_identity(
    profile: ModbusProfile, blocks: Mapping[Block, Sequence[int]]
) -> Identified:
    """Read who a meter says it is, and whether that is the profile's type.

    Parameters
    ----------
    profile : ModbusProfile
        Whose type is in question.
    blocks : mapping of Block to words
        Those of `plan_identity` that answered. What is expected and did not answer
        speaks against the type.

    """
    told: list[tuple[str, int | str]] = []
    verdicts: list[bool] = []
    for part in profile.identity:
        words = words_in(profile, part, blocks)
        value = None if words is None else _told(profile, part, words)
        if value is not None:
            told.append((part.name, value))
        if part.expected:
            verdicts.append(any(_is(value, one) for one in part.expected))
    return Identified(told=tuple(told), fits=all(verdicts) if verdicts else None)


def decode_ratios(
    profile: ModbusProfile, blocks: Mapping[Block, Sequence[int]]
) -> Ratios:
    """Read the ratios set in a meter from the blocks of `plan_ratios` that answered."""
    found: dict[RatioName, float] = {}
    for part in profile.ratio:
        words = words_in(profile, part, blocks)
        value = None if words is None else decode_number(profile, part, words)
        if value is not None and not isnan(value):
            found[part.name] = value
    return ratios_of(found)


def encode_identity(
    profile: ModbusProfile,
    told: Mapping[str, int | str] | None = None,
    ratios: Ratios | None = None,
) -> dict[int, int]:
    """Inverse of `decode_identity` and `decode_ratios`: address to word.

    What is not told is what the profile expects, else 0 or an empty text; a ratio that
    is not given is 1, and a secondary side always.

    Raises
    ------
    DecodeError
        If something does not fit.

    """
    told, ratios = told or {}, ratios or Ratios(ct=None, pt=None)
    held: dict[int, int] = {}
    for part in profile.identity:
        value = told.get(part.name, _usual(part))
        held.update(enumerate(_identity_words(profile, part, value), part.address))
    for ratio in profile.ratio:
        numerator, denominator = exact(ratio.scale)
        raw = ratios.side(ratio.name) * denominator / numerator
        words = encode_number(profile, ratio, raw, ratio.encoding)
        held.update(enumerate(words, ratio.address))
    return held


def words_in(
    profile: ModbusProfile, part: Placeable, blocks: Mapping[Block, Sequence[int]]
) -> Sequence[int] | None:
    """Return a part's words from the blocks that answered; None if none holds it.

    Raises
    ------
    DecodeError
        If an answer is too short.

    """
    function = part.function or profile.function
    for block, words in blocks.items():
        at = part.address - block.address
        if block.function != function or not 0 <= at <= block.count - part.words:
            continue
        if len(words) != block.count:
            raise DecodeError(
                f"{part.label}: {len(words)} words came, not {block.count}"
            )
        return words[at : at + part.words]
    return None


def _told(
    profile: ModbusProfile, part: Identity, words: Sequence[int]
) -> int | str | None:
    """Return what a register says; None if that is nothing."""
    if isinstance(part.encoding, Encoding):
        orders = profile.word_order_of(part), profile.byte_order_of(part)
        number = number_in(bits_of(words, part.encoding, *orders), part.encoding)
        return number if isinstance(number, int) else str(number)
    # Letters stand in the order of addresses also in meters that turn their numbers.
    if part.word_order == "little":
        words = words[::-1]
    turn = part.byte_order or "big"
    raw = b"".join((word & 0xFFFF).to_bytes(2, turn) for word in words)
    return raw.split(b"\0")[0].decode("ascii", "replace").strip() or None


def _is(value: int | str | None, expected: int | str) -> bool:
    """Whether a value is what is expected."""
    if isinstance(value, str) and isinstance(expected, str):
        return fnmatchcase(value, expected)
    return value == expected


def _usual(part: Identity) -> int | str:
    """Return what a meter of a type says where nothing else is asked of it."""
    usual = part.expected[0] if part.expected else None
    if usual is None:
        return "" if part.encoding == "string" else 0
    if isinstance(usual, int):
        return usual
    return usual.translate(_WILD)


def _identity_words(
    profile: ModbusProfile, part: Identity, value: int | str
) -> Sequence[int]:
    if isinstance(part.encoding, Encoding):
        return encode_number(profile, part, _number_of(value), part.encoding)
    raw = str(value).encode("ascii", "replace").ljust(2 * part.words, b"\0")
    if len(raw) > 2 * part.words:
        raise DecodeError(
            f"{part.name}: {value!r} is longer than {part.words} registers"
        )
    turn = part.byte_order or "big"
    words = [
        word
        for at in range(0, len(raw), 2)
        for word in words_of(raw[at : at + 2], "big", turn)
    ]
    return words[::-1] if part.word_order == "little" else words


def _number_of(value: int | str) -> int:
    """Return a serial number that is a number in the meter and a text elsewhere."""
    try:
        return int(value)
    except ValueError:
        raise DecodeError(f"identity: {value!r} is no number") from None
