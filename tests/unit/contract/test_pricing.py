"""Estimates: exact, in one unit, and honest about what only the provider can measure."""

from decimal import Decimal
from typing import Any

import pytest

from relay.contract.pricing import CURRENT, LAUNCH, RateTable, amount, billionths, compose, create, edit


@pytest.mark.parametrize(
    ("request_", "rate"),
    [
        ({"resolution": "540p"}, 4),
        ({}, 5),
        ({"resolution": "1080p"}, 6),
        ({"lip_sync": True}, 7),
        ({"quality": "high"}, 16),
        ({"quality": "high", "resolution": "1080p", "lip_sync": True}, 20),
    ],
)
def test_a_music_video_costs_a_range_by_the_second(request_: dict[str, Any], rate: int) -> None:
    price = create(LAUNCH, "music-video", request_)
    assert (price.unit, price.least, price.most, price.likely) == ("credits", rate * 10, rate * 180, None)
    price = create(LAUNCH, "music-video", {**request_, "duration": 30})
    assert price.likely == rate * 30
    price = create(CURRENT, "music-video", request_)
    assert (price.unit, price.least) == ("usd", Decimal(rate * 10) * Decimal("0.02"))


def test_what_has_one_price_is_exact() -> None:
    assert create(LAUNCH, "ecommerce-video", {"duration": 20}).least == 300
    dollars = create(CURRENT, "ecommerce-video", {"duration": 20})
    assert (str(dollars.least), str(dollars.most), str(dollars.likely)) == ("6.00", "6.00", "6.00")
    assert (compose(LAUNCH).least, compose(CURRENT).least) == (1, 1)


def test_an_edit_is_priced_as_asked_in_credits_and_as_created_in_dollars() -> None:
    asked, created = {"prompt": "x", "quality": "high", "duration": 7}, {"resolution": "1080p", "lip_sync": True}
    assert edit(LAUNCH, asked, created, 5).least == 16 * 7
    assert edit(CURRENT, asked, created, 5).least == Decimal("0.80")
    assert edit(CURRENT, asked, created, None).likely is None


@pytest.mark.parametrize(
    ("workflow", "request_"),
    [
        ("images", {"prompt": "x"}),
        ("music-video", {"quality": "high", "resolution": "540p"}),
        ("music-video", {"mv_tier": "premium"}),
        ("music-video", {"quality": "music", "resolution": "video"}),
        ("ecommerce-video", {}),
        ("ecommerce-video", {"duration": True}),
    ],
)
def test_what_the_table_does_not_know_has_no_price(workflow: str, request_: dict[str, Any]) -> None:
    price = create(LAUNCH, workflow, request_)
    assert (price.least, price.most, price.likely) == (None, None, None)
    assert "[rates]" in price.notes[0]


def test_rates_are_data() -> None:
    table = RateTable().override("usd", {"compose": Decimal("0.125")})
    assert table.of("usd").compose == Decimal("0.125")
    assert table.of("credits") == LAUNCH


def test_stored_amounts_are_exact() -> None:
    for text in ("0", "1.5", "0.01", "-3", "1000000000", "0.123456789"):
        assert amount(billionths(Decimal(text)) or 0) == Decimal(text)
    assert str(amount(1_500_000_000)) == "1.5"
    assert str(amount(100 * 10**9)) == "100"
    assert billionths(None) is None
