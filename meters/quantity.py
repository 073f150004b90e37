"""The one list of what can be measured. A quantity has one fixed unit, its suffix."""

from enum import StrEnum


class Quantity(StrEnum):
    """One measurable thing in one unit; the order is that of the reading's columns."""

    ENERGY_IMPORT_KWH = "energy_import_kwh"
    ENERGY_EXPORT_KWH = "energy_export_kwh"
    ENERGY_LAGGING_KVARH = "energy_lagging_kvarh"
    ENERGY_LEADING_KVARH = "energy_leading_kvarh"
    ACTIVE_POWER_KW = "active_power_kw"
    ACTIVE_POWER_L1_KW = "active_power_l1_kw"
    ACTIVE_POWER_L2_KW = "active_power_l2_kw"
    ACTIVE_POWER_L3_KW = "active_power_l3_kw"
    REACTIVE_POWER_KVAR = "reactive_power_kvar"
    POWER_FACTOR = "power_factor"
    FREQUENCY_HZ = "frequency_hz"
    VOLTAGE_L1_V = "voltage_l1_v"
    VOLTAGE_L2_V = "voltage_l2_v"
    VOLTAGE_L3_V = "voltage_l3_v"
    CURRENT_L1_A = "current_l1_a"
    CURRENT_L2_A = "current_l2_a"
    CURRENT_L3_A = "current_l3_a"

    # As the text it is. Enum's own hash is a Python function, called for each value of
    # each reading: it made decoding a meter dearer by a third.
    __hash__ = str.__hash__

    @property
    def is_register(self) -> bool:
        """Whether it is a cumulative register (energy), not a momentary value."""
        return self in REGISTERS

    @property
    def unit(self) -> str | None:
        """Its unit as it is written; None of a power factor.

        Examples
        --------
        >>> Quantity.ENERGY_IMPORT_KWH.unit, Quantity.POWER_FACTOR.unit
        ('kWh', None)

        """
        return _UNITS.get(self.rpartition("_")[2])


_UNITS = {
    "kwh": "kWh",
    "kvarh": "kvarh",
    "kw": "kW",
    "kvar": "kvar",
    "hz": "Hz",
    "v": "V",
    "a": "A",
}

REGISTERS: tuple[Quantity, ...] = (
    Quantity.ENERGY_IMPORT_KWH,
    Quantity.ENERGY_EXPORT_KWH,
    Quantity.ENERGY_LAGGING_KVARH,
    Quantity.ENERGY_LEADING_KVARH,
)
QUANTITIES: tuple[Quantity, ...] = tuple(Quantity)
COLUMN: dict[Quantity, int] = {quantity: i for i, quantity in enumerate(QUANTITIES)}
