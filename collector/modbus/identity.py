"""Who answers: a meter's own serial number, where its profile says where it stands.

A gateway may answer with the registers of another unit though it names the right one.
Only what the meter says of itself shows that. Who it is, is asked at the first poll and
with the slow quantities; the next ones must be the same, and no other on the same bus.
"""

from collections.abc import Mapping, Sequence

from meters.blocks import Block, plan_parts
from meters.modbus_profile import ModbusProfile


def identity_blocks(profile: ModbusProfile) -> tuple[Block, ...]:
    """Return what to ask a meter for its serial number; empty where it tells none."""
    serials = [part for part in profile.identity if part.name == "serial"]
    return plan_parts(profile, serials)


def identity_of(words: Mapping[Block, Sequence[int]]) -> tuple[int, ...]:
    """Return what the meter said, as it is; empty where it says nothing.

    Only compared with what it said before: letters or numbers, it is the same.
    """
    said = tuple(word for block in words.values() for word in block)
    is_blank = len(set(said)) <= 1 and (not said or said[0] in {0, 0x2020, 0xFFFF})
    return () if is_blank else said


class Roll:
    """Who answered at which unit of one bus."""

    def __init__(self) -> None:
        self._said: dict[int, tuple[int, ...]] = {}

    def objection(
        self, unit: int, known: tuple[int, ...], said: tuple[int, ...]
    ) -> str:
        """Take note of an answer, and return what speaks against it; empty: nothing.

        Parameters
        ----------
        unit : int
            That was asked.
        known : tuple of int
            What it said first; empty before.
        said : tuple of int
            What it says now.

        """
        self._said[unit] = said
        # Of two that say the same nobody knows which one is not itself.
        for other, its in self._said.items():
            if its == said and other != unit:
                return f"the serial number of unit {other}"
        return "another serial number than before" if known not in {(), said} else ""

    def forget(self, unit: int) -> None:
        """Forget a unit that is not asked now."""
        self._said.pop(unit, None)
