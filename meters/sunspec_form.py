"""The form of a SunSpec meter's profile: without addresses, each device has its own."""

from typing import Annotated, Literal

from pydantic import Field

from meters.modbus_profile import BusManners
from meters.profile_form import FROM_TEXT

MeterModel = Literal[201, 202, 203, 204, 211, 212, 213, 214]
"""Single-phase, split-phase, wye and delta; as integers, and as float32."""


class SunspecForm(BusManners):
    """How to read a meter that is found by walking a chain of models."""

    layout: Literal["sunspec"]
    models: Annotated[tuple[MeterModel, ...], FROM_TEXT, Field(min_length=1)]
    """Which models are taken for the meter."""
    meter: int = Field(default=1, ge=1, le=20)
    """Which of the device's meters it is; an inverter may carry several."""
    reverse_power: bool = False
    """The device counts power that a plant gives as positive, against its energy."""
