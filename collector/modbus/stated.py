"""What a meter was told of its transformers: asked now and then, beside its polls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meters.blocks import Block
from meters.identity import decode_ratios, plan_ratios
from meters.modbus_profile import ModbusProfile

ASK_EVERY_S = 3600.0


@dataclass(slots=True)
class Stated:
    """The multiplier that one meter states; nothing where its registers hold it."""

    profile: ModbusProfile
    blocks: tuple[Block, ...]
    """The requests that ask for it; none where it is not asked."""
    multiplier: float | None = None
    """As it was stated last."""
    _asked_s: float = float("-inf")

    @classmethod
    def of(cls, profile: ModbusProfile) -> "Stated":
        """Plan what to ask a meter of a type."""
        return cls(profile, () if profile.ratio_in_meter else plan_ratios(profile))

    def is_due(self, at_s: float) -> bool:
        """Whether to ask now; the time is the loop's. [s]."""
        return bool(self.blocks) and at_s - self._asked_s >= ASK_EVERY_S

    def take(self, words: Mapping[Block, Sequence[int]], at_s: float) -> float | None:
        """Take an answer; return the multiplier if it is another than before.

        Raises
        ------
        DecodeError
            If the answer is too short.

        """
        ratios = decode_ratios(self.profile, words)
        self._asked_s = at_s
        told = ratios.multiplier
        if told is None or told == self.multiplier:
            return None
        self.multiplier = told
        return told
