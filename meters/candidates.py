"""Which profile explains best what a unit answered, and in which order. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from meters.blocks import Block, plan_blocks
from meters.decode import DecodeError, decode_blocks
from meters.encoding import Order
from meters.identity import decode_identity, plan_identity
from meters.modbus_profile import ModbusProfile
from meters.plausibility import DECIDES, Remark, Verdict, judge
from meters.quantity import Quantity
from meters.sunspec import Chain, SunspecProfile

_TURNS = (("word_order",), ("byte_order",), ("word_order", "byte_order"))
_REFUSED, _UNTOLD, _UNREADABLE = -3.0, -2.0, -6.0


@dataclass(slots=True)
class Heard:
    """What one unit answered so far, whoever's request it was."""

    words: dict[Block, Sequence[int]] = field(default_factory=dict)
    refused: dict[Block, str] = field(default_factory=dict)
    """What it answered with an exception, or not at all, and which."""
    chain: Chain | None = None
    """The SunSpec models that it has; None: none, or nobody asked."""

    def of(self, blocks: Iterable[Block]) -> dict[Block, Sequence[int]]:
        """Return the answers to some requests, under the blocks as they are given."""
        return {block: self.words[block] for block in blocks if block in self.words}


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A profile, and how well it explains what a unit answered."""

    profile: ModbusProfile
    """With other orders than its file's, where those were tried."""
    verdict: Verdict
    values: Mapping[Quantity, float]
    told: tuple[tuple[str, int | str], ...] = ()
    """What the unit says of itself, if this is its type."""

    @property
    def score(self) -> float:
        """Points of the verdict."""
        return self.verdict.score

    @property
    def fits(self) -> bool:
        """Whether the unit may well be of that type."""
        return self.verdict.fits


def requests_of(profile: ModbusProfile) -> tuple[Block, ...]:
    """Return all that must be asked to judge a profile, who it is first."""
    return tuple(dict.fromkeys((*plan_identity(profile), *plan_blocks(profile))))


def first_request(profile: ModbusProfile) -> Block:
    """Return the one request that tells most: the one that brings a voltage."""
    plan = plan_blocks(profile)
    voltages = (b for b in plan if any("voltage" in part.label for part in b.registers))
    return next(voltages, plan[0])


def candidate(profile: ModbusProfile, heard: Heard) -> Candidate | None:
    """Judge one profile by what was heard; None if that has nothing of it."""
    plan = plan_blocks(profile)
    answers = heard.of(plan)
    if not answers:
        return None
    refused = [heard.refused[block] for block in plan if block in heard.refused]
    remarks = [Remark(_REFUSED, text) for text in refused]
    told, identified = _identity(profile, heard)
    remarks += identified
    values: Mapping[Quantity, float] = {}
    try:
        decoded = decode_blocks(profile, answers)
    except DecodeError as exc:
        remarks.append(Remark(_UNREADABLE, str(exc)))
    else:
        values = decoded.values
        remarks += judge(profile, values, decoded.measured_at).remarks
    verdict = Verdict(remarks=tuple(remarks))
    return Candidate(profile=profile, verdict=verdict, values=values, told=told)


def ranked(profiles: Iterable[ModbusProfile], heard: Heard) -> list[Candidate]:
    """Judge profiles by what was heard; the best comes first."""
    found = (candidate(profile, heard) for profile in profiles)
    return sorted(
        (one for one in found if one is not None),
        key=lambda one: (-one.score, one.profile.name),
    )


def other_orders(profiles: Iterable[ModbusProfile], heard: Heard) -> list[Candidate]:
    """Judge profiles with the orders of words and bytes that are not theirs.

    Returns
    -------
    list of Candidate
        Those that fit, the best first: the most plausible layouts, laid out otherwise
        than their files say.

    """
    turned = (turn(profile, keys) for profile in profiles for keys in _TURNS)
    return [one for one in ranked(turned, heard) if one.fits]


def may_be(profile: ModbusProfile, heard: Heard) -> bool:
    """Whether a profile, in any order, is worth more requests.

    Its first request was answered, and nothing speaks clearly against it yet.
    """
    tries = [profile, *(turn(profile, keys) for keys in _TURNS)]
    seen = (candidate(one, heard) for one in tries)
    return any(one is not None and not one.verdict.is_contradicted for one in seen)


_OTHER: dict[Order, Order] = {"big": "little", "little": "big"}


@lru_cache(maxsize=1024)
def turn(profile: ModbusProfile, turned: tuple[str, ...]) -> ModbusProfile:
    """Return a profile with its words, its bytes or both the other way round.

    Parameters
    ----------
    profile : ModbusProfile
        As its file has it.
    turned : tuple of str
        Which of "word_order" and "byte_order"; also where a register has its own.

    """
    registers = tuple(
        register.model_copy(update=_turned(register, turned))
        for register in profile.registers
    )
    update = {**_turned(profile, turned), "registers": registers}
    return profile.model_copy(update=update)


def _turned(ordered: object, turned: tuple[str, ...]) -> dict[str, Order]:
    orders = {key: getattr(ordered, key) for key in turned}
    return {key: _OTHER[order] for key, order in orders.items() if order is not None}


def _identity(
    profile: ModbusProfile, heard: Heard
) -> tuple[tuple[tuple[str, int | str], ...], list[Remark]]:
    """Say what the unit tells of its type, and whether that decides."""
    if isinstance(profile, SunspecProfile) and profile.chain == heard.chain:
        models = ", ".join(str(model.model_id) for model in profile.chain.models)
        identified = decode_identity(profile, heard.of(plan_identity(profile)))
        text = f"it says of itself: SunSpec models {models}"
        return identified.told, [Remark(DECIDES, text)]
    asked = plan_identity(profile)
    answers = heard.of(asked)
    refused = [block for block in asked if block in heard.refused]
    if not answers:
        text = f"it does not say that its type is {profile.title}"
        return (), [Remark(_UNTOLD, text)] if refused else []
    identified = decode_identity(profile, answers)
    told = ", ".join(f"{name} {value}" for name, value in identified.told) or "nothing"
    if identified.fits is None:
        return identified.told, []
    sign = 1.0 if identified.fits else -1.0
    return identified.told, [Remark(sign * DECIDES, f"it says of itself: {told}")]
