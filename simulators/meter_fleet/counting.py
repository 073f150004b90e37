"""What a light meter's registers have counted, by all its faults of counting. Pure.

Whole numbers throughout: what a load drew is known to the millijoule, and a register's
count is a whole number of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from meters.quantity import Quantity
from meters.reading import IntArray
from simulators.meter_fleet.faults import Fault, Spell

COUNTS_OTHERWISE = frozenset(
    {
        Fault.ROLLOVER,
        Fault.SWAP,
        Fault.STALLED,
        Fault.REVERSED,
        Fault.LEAP,
        Fault.RATIO_CHANGE,
    }
)
"""What is not of a moment: registers are what they became by it, for ever after."""
_MJ_PER_KWH = 3_600_000_000
_S = 1000
_LAGGING = Fraction(3, 10)
"""kvarh for each kWh, whatever becomes of the register of that."""


class Load(Protocol):
    """What is drawn where a meter sits; times in milliseconds since 1970 UTC."""

    def power_w(self, at_ms: int) -> int:
        """Watts at an instant."""
        ...

    def energy_mj(self, since_ms: int, until_ms: int) -> int:
        """Millijoules from one instant to a later one, exactly."""
        ...

    def energies_mj(self, since_ms: int, until_ms: IntArray) -> IntArray:
        """As `energy_mj`, for a whole column of instants, shape (n,)."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Counter:
    """The registers of one place, whichever meter sits there."""

    load: Load
    installed_ms: int
    opening: int
    """Counts that its registers stood at when it was installed."""
    mj_per_count: int
    ratio: int
    """Of its transformers: how much more flows than the meter sees."""
    spells: tuple[Spell, ...]

    def counts_at(self, quantity: Quantity, at_ms: int) -> int:
        """Return what a register counted, without end of its digits."""
        since_ms, opening = self.installed_ms, self.opening
        swaps = [s.from_ms for s in self._of(Fault.SWAP) if s.from_ms <= at_ms]
        if swaps:
            since_ms, opening = max(swaps), self.opening // 3
        for spell in self._of(Fault.ROLLOVER):
            turn_ms = spell.from_ms + round(spell.size * _S)
            if since_ms <= turn_ms and not self._is_swapped(at_ms, turn_ms):
                opening = -self._counted(quantity, since_ms, turn_ms)
        return opening + self._counted(quantity, since_ms, at_ms)

    def ratio_at(self, at_ms: int) -> Fraction:
        """Return the ratio of the transformers at an instant."""
        return list(self._ratios(self.installed_ms, at_ms + 1))[-1][2]

    def _is_swapped(self, since_ms: int, until_ms: int) -> bool:
        return any(since_ms < s.from_ms <= until_ms for s in self._of(Fault.SWAP))

    def _of(self, fault: Fault) -> Iterator[Spell]:
        return (spell for spell in self.spells if spell.fault is fault)

    def _counted(self, quantity: Quantity, since_ms: int, until_ms: int) -> int:
        """Return the counts from one instant to a later one."""
        counts = sum(
            (
                Fraction(self._energy_mj(quantity, begin, end)) / ratio
                for begin, end, ratio in self._ratios(since_ms, until_ms)
            ),
            start=Fraction(0),
        )
        if quantity is Quantity.ENERGY_LAGGING_KVARH:
            counts *= _LAGGING
        for spell in self._of(Fault.LEAP):
            is_import = quantity is Quantity.ENERGY_IMPORT_KWH
            if is_import and since_ms < spell.from_ms <= until_ms:
                counts += round(spell.size * _MJ_PER_KWH)
        return int(counts / self.mj_per_count)  # positive: rounds down

    def _ratios(
        self, since_ms: int, until_ms: int
    ) -> Iterator[tuple[int, int, Fraction]]:
        """Cut a time where the transformers were changed."""
        ratio, begin = Fraction(self.ratio), since_ms
        changes = sorted(self._of(Fault.RATIO_CHANGE), key=lambda spell: spell.from_ms)
        for spell in changes:
            if spell.from_ms >= until_ms:
                break
            if spell.from_ms > begin:
                yield begin, spell.from_ms, ratio
                begin = spell.from_ms
            ratio *= Fraction(str(spell.size))
        yield begin, until_ms, ratio

    def _energy_mj(self, quantity: Quantity, since_ms: int, until_ms: int) -> int:
        """Return what a register is given to count."""
        reversed_mj = self._within(Fault.REVERSED, since_ms, until_ms)
        if quantity is Quantity.ENERGY_EXPORT_KWH:
            return reversed_mj
        drawn_mj = self.load.energy_mj(since_ms, until_ms)
        if quantity is Quantity.ENERGY_IMPORT_KWH:
            stalled_mj = self._within(Fault.STALLED, since_ms, until_ms)
            return drawn_mj - reversed_mj - stalled_mj
        return drawn_mj if quantity is Quantity.ENERGY_LAGGING_KVARH else 0

    def _within(self, fault: Fault, since_ms: int, until_ms: int) -> int:
        """Millijoules drawn while a fault was on; two of them at once are not meant."""
        total_mj = 0
        for spell in self._of(fault):
            begin, end = max(spell.from_ms, since_ms), min(spell.until_ms, until_ms)
            if begin < end:
                total_mj += self.load.energy_mj(begin, end)
        return total_mj


def counting_otherwise(spells: Sequence[Spell]) -> bool:
    """Say whether any of these is a fault of counting."""
    return any(spell.fault in COUNTS_OTHERWISE for spell in spells)
