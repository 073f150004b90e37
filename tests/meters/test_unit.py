"""A unit that a device states is the one that its profile takes the value in."""

import pytest

from meters.payload_error import PayloadError
from meters.quantity import Quantity
from meters.refusal import Reason
from meters.unit import check_unit

KWH, V = Quantity.ENERGY_IMPORT_KWH, Quantity.VOLTAGE_L1_V


@pytest.mark.parametrize(
    ("told", "quantity", "scale", "fits"),
    [
        ("kWh", KWH, 1.0, True),
        ("KWH", KWH, 1.0, True),
        ("Wh", KWH, 1.0, False),  # 1 Wh would be taken for 1 kWh
        ("Wh", KWH, 0.001, True),
        ("MWh", KWH, 1000.0, True),
        ("MWh", KWH, 0.001, False),
        ("kvarh", KWH, 1.0, False),
        ("kVAh", KWH, 1.0, False),
        ("VAr", Quantity.REACTIVE_POWER_KVAR, 0.001, True),
        ("kV", V, 1.0, False),
        ("mV", V, 0.001, True),
        ("A", V, 1.0, False),
        ("mwh", KWH, 1000.0, True),  # a million or a thousandth: nobody knows
        ("counts", KWH, 1.0, True),
        ("A", Quantity.POWER_FACTOR, 1.0, True),
    ],
)
def test_a_unit_that_contradicts_the_scale_is_refused(
    told, quantity, scale, fits
) -> None:
    if fits:
        check_unit(told, quantity, scale, "e")
        return
    with pytest.raises(PayloadError) as caught:
        check_unit(told, quantity, scale, "e")
    assert caught.value.reason is Reason.WRONG_UNIT


def test_it_says_what_was_taken_for_what() -> None:
    with pytest.raises(PayloadError) as caught:
        check_unit("Wh", KWH, 1.0, "reg.import")
    assert caught.value.text == (
        "reg.import is in 'Wh', but the profile takes one of it for 1 kWh."
    )


@pytest.mark.parametrize("quantity", Quantity)
def test_every_quantity_is_in_its_own_unit(quantity) -> None:
    assert (quantity.unit is None) == (quantity is Quantity.POWER_FACTOR)
    assert (quantity.unit or "factor").lower() == quantity.rpartition("_")[2]
    check_unit(quantity.unit or "", quantity, 1.0, "e")
