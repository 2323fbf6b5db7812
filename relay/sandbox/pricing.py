"""What things cost. Launch: whole credits. Current: dollars, a launch credit being 0.02, compose 1.00."""

from decimal import Decimal
from typing import Any, Literal

Contract = Literal["launch", "current"]

MUSIC_VIDEO = {
    ("standard", "540p"): 4,
    ("standard", "720p"): 5,
    ("standard", "1080p"): 6,
    ("high", "720p"): 16,
    ("high", "1080p"): 18,
}
LIP_SYNC = 2
ECOMMERCE = 15
COMPOSE = 1
EDIT_SECONDS = 5
FLAT = {"images": 5, "videos": 50, "effects": 60, "video-analysis": 1}
"""Tasks that are not billed by their length here."""
DOLLARS_PER_CREDIT = Decimal("0.02")


def rate(workflow: str, request: dict[str, Any]) -> int:
    """Launch credits per second of billable duration."""
    if workflow == "ecommerce-video":
        return ECOMMERCE
    key = (request.get("quality", "standard"), request.get("resolution", "720p"))
    return MUSIC_VIDEO[key] + (LIP_SYNC if request.get("lip_sync") else 0)


def create_credits(workflow: str, request: dict[str, Any], seconds: int) -> int:
    """Launch credits of a create."""
    return FLAT[workflow] if workflow in FLAT else rate(workflow, request) * seconds


def edit_credits(contract: Contract, created: dict[str, Any], asked: dict[str, Any], shot_seconds: int) -> int:
    """Launch credits of a shot edit. Launch: as the edit asks, with its defaults. Current: as the task was created."""
    if contract == "current":
        return rate("music-video", created) * shot_seconds
    return rate("music-video", {**asked, "lip_sync": False}) * int(asked.get("duration", EDIT_SECONDS))


def price(credits: int, contract: Contract) -> Decimal:
    """Launch credits in the contract's unit."""
    return Decimal(credits) if contract == "launch" else (credits * DOLLARS_PER_CREDIT).quantize(Decimal("0.01"))


def compose_price(contract: Contract) -> Decimal:
    """The fixed charge of a compose."""
    return Decimal(COMPOSE) if contract == "launch" else Decimal("1.00")
