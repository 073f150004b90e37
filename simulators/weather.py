"""The weather at a plant: season, time of day and passing spells. Pure and seeded."""

from dataclasses import dataclass

import numpy as np

from meters.reading import FloatArray, IntArray
from simulators.noise import smooth

_YEAR_MIN = 365.2425 * 1440
_COLDEST_MIN = 19 * 1440
"""Middle of January."""
_SPELL_MIN = 3 * 1440


@dataclass(frozen=True, kw_only=True, slots=True)
class Climate:
    """What a place's temperature does in a year and in a day."""

    mean_c: float = 17.0
    season_c: float = 11.5
    """Half the distance between the coldest and the warmest time of the year."""
    daily_c: float = 4.0
    """Half the distance between night and afternoon."""
    spell_c: float = 3.5
    """How far a warm or cold spell of some days goes."""
    seed: int = 0


def temperature_c(climate: Climate, minute: IntArray, wall_min: IntArray) -> FloatArray:
    """Outdoor temperature.

    Parameters
    ----------
    climate : Climate
        Of the place.
    minute : array, shape (n,)
        Minutes since 1970 UTC.
    wall_min : array, shape (n,)
        Minutes since local midnight; it is warmest at 15:00.

    Returns
    -------
    array, shape (n,)
        [degrees Celsius]

    """
    season = -np.cos(2 * np.pi * (minute - _COLDEST_MIN) / _YEAR_MIN)
    daily = np.cos(2 * np.pi * (wall_min - 15 * 60) / 1440)
    spell = smooth(climate.seed, minute, _SPELL_MIN)
    result: FloatArray = (
        climate.mean_c
        + climate.season_c * season
        + climate.daily_c * daily
        + climate.spell_c * spell
    )
    return result
