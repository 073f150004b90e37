"""Who answers: a meter's own serial number, where its profile says where it stands.

A gateway may answer with the registers of another unit though it names the right one.
Only what the meter says of itself shows that. Who it is, is asked at the first poll and
with the slow quantities; the next ones must be the same, and no other on the same bus.
"""

from meters.blocks import Block, plan_parts
from meters.modbus_profile import ModbusProfile


def serial_blocks(profile: ModbusProfile) -> tuple[Block, ...]:
    """Return what to ask a meter for its serial number; empty where it tells none."""
    return plan_parts(profile, [p for p in profile.identity if p.name == "serial"])


class Roll:
    """Who answered at which unit of one bus."""

    def __init__(self) -> None:
        self._said: dict[int, str] = {}

    def objection(self, unit: int, known: str, said: str) -> str:
        """Take note of an answer, and return what speaks against it; empty: nothing.

        Parameters
        ----------
        unit : int
            That was asked.
        known : str
            The serial number that it said first; empty before.
        said : str
            The one that it says now.

        """
        self._said[unit] = said
        # Of two that say the same nobody knows which one is not itself.
        for other, its in self._said.items():
            if its == said and other != unit:
                return f"the serial number of unit {other}"
        return "another serial number than before" if known not in {"", said} else ""

    def forget(self, unit: int) -> None:
        """Forget a unit that is not asked now."""
        self._said.pop(unit, None)
