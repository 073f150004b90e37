from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from accounts.account import Installation
from analytics.settlement.evidence import fittings_of
from analytics.settlement.fitting import FittingError, Multiplier
from meters.quantity import REGISTERS, Quantity
from meters.reading import utc_us
from tests.analytics.settlement.making import START_US, fitting

NOON = datetime(2026, 3, 3, 3, tzinfo=UTC)


def installation(number, since, until=None, **changes) -> Installation:
    sat = {
        "installation_id": number,
        "point_id": 1,
        "meter_id": number,
        "installed_at": since,
        "removed_at": until,
        "ratio": 60,
        "register_digits": 6,
        "register_resolution": 0.1,
    }
    return Installation(**(sat | changes))


def test_the_bound_is_in_counts_and_holds_for_the_least_multiplier() -> None:
    multipliers = (
        Multiplier(START_US, Fraction(40)),
        Multiplier(START_US + 1, Fraction(60)),
    )
    # 1000 kW x 1.2 / (0.01 kWh x 40) = 3000 counts an hour.
    sat = fitting(most_kw=1000.0, multipliers=multipliers)
    assert sat.most_counts_an_hour == 3000.0
    assert fitting().most_counts_an_hour is None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"ratio": 0}, "multiplier of 0 or less"),
        ({"multipliers": ()}, "no multiplier"),
        ({"digits": 19}, "19 register digits; give 1 to 18"),
        ({"resolution": Fraction(0)}, "resolution of 0 or less"),
        ({"to_us": 0}, "removed before it comes"),
        ({"opening": 10**8}, "opening reading of 100000000 counts"),
        ({"closing": -1}, "closing reading of -1 counts"),
        ({"multipliers": (Multiplier(5, Fraction(1)),) * 2}, "two multipliers"),
    ],
)
def test_what_no_meter_can_be_is_refused(changes, complaint) -> None:
    with pytest.raises(FittingError, match=f"Meter 7 .*{complaint}"):
        fitting(**changes)


def test_installations_become_fittings_with_what_was_read_at_the_swap() -> None:
    old = installation(1, NOON - timedelta(days=9), NOON)
    new = installation(2, NOON, ratio=80)
    imported = Quantity.ENERGY_IMPORT_KWH
    written = {(1, imported): (None, 4711), (2, imported): (0, None)}
    fittings = fittings_of([new, old], most_kw=500.0, readings_at_swaps=written)
    first, second = fittings[imported]
    assert (first.meter_id, first.closing, first.to_us) == (1, 4711, utc_us(NOON))
    assert (second.opening, second.multipliers[0].value) == (0, Fraction(80))
    assert first.energy_of_count(Fraction(60)) == 6
    assert set(fittings) == set(REGISTERS)
    # What is fed is not bounded by what can be drawn.
    assert fittings[Quantity.ENERGY_EXPORT_KWH][0].most_kw is None
    # Where nothing can feed, it is: only a meter that sits the wrong way round counts.
    fittings = fittings_of([new, old], most_kw=500.0, feeds=False)
    assert fittings[Quantity.ENERGY_EXPORT_KWH][0].most_kw == 500.0


def test_two_meters_at_one_time_are_refused_by_name() -> None:
    old = installation(1, NOON - timedelta(days=9), NOON + timedelta(minutes=1))
    new = installation(2, NOON)
    with pytest.raises(FittingError, match="Meter 1 is still there when meter 2 comes"):
        fittings_of([old, new])
