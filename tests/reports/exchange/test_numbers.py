import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.exchange.form import ExchangeError
from reports.exchange.numbers import decimal_of, numbers_of


@pytest.mark.parametrize(
    ("texts", "decimal", "values"),
    [
        (["-1,009.74", "4.142", "1,863.00"], ".", [-1009.74, 4.142, 1863]),
        (["1.234.567,5", "90,04"], ",", [1234567.5, 90.04]),
        (["90,04", "1.702"], ",", [90.04, 1702]),
        (["1,234,567", "12"], ".", [1234567, 12]),
        (["1 234,5", "1'234,5", "1\N{NO-BREAK SPACE}234,5"], ",", [1234.5] * 3),
        (["1e3", "-2.5E-1", ".5", "5."], ".", [1000, -0.25, 0.5, 5]),
        (["", "n/a", "-", "NaN", "null"], ".", [math.nan] * 5),
        (["1.702", "3"], ".", [1.702, 3]),
        (["0,702", "12,345"], ",", [0.702, 12.345]),  # no thousands begin with 0
    ],
)
def test_numbers_as_others_write_them(texts, decimal, values) -> None:
    assert decimal_of([texts], "a.csv") == decimal
    found, wrong = numbers_of(texts, decimal)
    np.testing.assert_array_equal(found, values)
    assert not wrong


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["1,702"], "a.csv: is 1,702 more than a thousand, or a decimal?"),
        (["1,702", "1.702"], "is 1,702 more"),
        (["90,04", "90.04"], "90.04 has a decimal point and 90,04 a decimal comma"),
    ],
)
def test_what_may_be_either_is_not_guessed(texts, told) -> None:
    with pytest.raises(ExchangeError, match=told.replace("?", r"\?")):
        decimal_of([texts], "a.csv")


def test_what_is_no_number_is_told_by_its_place() -> None:
    texts = ["1", "12,34.5", "0x10", "inf", "1.2.3", "--5"]
    found, wrong = numbers_of(texts, ".")
    assert sorted(wrong) == [1, 2, 3, 4, 5]
    assert wrong[2] == "'0x10' is no number"
    assert found[0] == 1
    assert np.isnan(found[1:]).all()


@given(st.lists(st.floats(-1e9, 1e9).map(lambda x: round(x, 3)), min_size=1))
def test_thousands_separators_change_nothing(numbers) -> None:
    texts = [f"{number:,.3f}" for number in numbers]
    found, wrong = numbers_of(texts, decimal_of([[*texts, "0.5"]], "a.csv"))
    assert found.tolist() == numbers
    swapped = [text.translate(str.maketrans(",.", ".,")) for text in texts]
    found, wrong = numbers_of(swapped, decimal_of([[*swapped, "0,5"]], "a.csv"))
    assert found.tolist() == numbers
    assert not wrong
