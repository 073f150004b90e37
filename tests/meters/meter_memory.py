"""What a meter of some type holds, and how it answers any request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from meters.blocks import Block
from meters.candidates import Heard, requests_of
from meters.decode import encode_registers
from meters.identity import encode_identity
from meters.modbus_profile import Function, ModbusProfile
from meters.quantity import Quantity


@dataclass(frozen=True, kw_only=True)
class MeterMemory:
    """Registers of both tables; what is not in them is refused, or reads as 0."""

    held: Mapping[tuple[Function, int], int]
    has_holes: bool = True
    max_gap: int = 0
    """Of a meter with holes: over as many undefined registers it reads 0 still."""

    def answer(self, block: Block) -> list[int] | None:
        """Return the words of a block; None if it is refused."""
        return self.words(block.function, block.address, block.count)

    def words(self, function: Function, address: int, count: int) -> list[int] | None:
        """Return consecutive words of a table; None if they are refused."""
        keys = [(function, address + i) for i in range(count)]
        if self.has_holes:
            gap = 0
            for key in keys:
                gap = 0 if key in self.held else gap + 1
                if gap > self.max_gap:
                    return None
            if keys[0] not in self.held or keys[-1] not in self.held:
                return None
        return [self.held.get(key, 0) for key in keys]

    def heard(self, profiles) -> Heard:
        """All that probing it with these profiles can bring to light."""
        heard = Heard()
        for profile in profiles:
            for block in requests_of(profile):
                words = self.answer(block)
                if words is None:
                    heard.refused[block] = "it refuses"
                else:
                    heard.words[block] = words
        return heard


def memory_of(
    profile: ModbusProfile,
    values: Mapping[Quantity, float],
    measured_at: datetime | None = None,
    *,
    has_holes: bool = True,
) -> MeterMemory:
    """A meter of a type, with what it says of itself."""
    words = encode_registers(profile, values, measured_at)
    told = encode_identity(profile)
    held = {
        (profile.function_of(part), address): source.get(address, 0)
        for parts, source in ((profile.placed, words), (profile.identity, told))
        for part in parts
        for address in range(part.address, part.address + part.words)
    }
    fixed = profile.fixed_words.items()
    held |= {(profile.function, address): word for address, word in fixed}
    return MeterMemory(held=held, has_holes=has_holes, max_gap=profile.max_gap)
