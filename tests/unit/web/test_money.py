"""Amounts and times as people read them."""

from decimal import Decimal

import pytest

from relay.contract.pricing import Estimate
from relay.web.money import amount, duration, number


@pytest.mark.parametrize(
    ("least", "most", "words"),
    [
        ("50", "50", "50"),
        ("50", "12000", "50 to 12,000"),
        ("0.08", "0.10", "0.08 to 0.10"),
        ("1E+3", "1E+3", "1,000"),
        (None, None, "?"),
    ],
)
def test_a_price(least: str | None, most: str | None, words: str) -> None:
    told = [None if text is None else Decimal(text) for text in (least, most)]
    assert amount(Estimate("credits", told[0], told[1])) == words


def test_a_number_has_the_digits_that_it_has() -> None:
    assert number(Decimal("1234567.000000001")) == "1,234,567.000000001"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "a minute or two"),
        (150, "about 2 min"),
        (5300, "about 88 min"),
        (12000, "about 3 h 20 min"),
        (1e6, "about 278 h"),
    ],
)
def test_a_duration_is_as_exact_as_an_expectation(seconds: float, words: str) -> None:
    assert duration(seconds) == words
