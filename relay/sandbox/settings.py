"""How a sandbox behaves."""

from typing import Literal

from msgspec import Struct, field

from .faults import Faults


class SandboxSettings(Struct):
    """Everything that can be set at the start."""

    url: str = "http://127.0.0.1:8788"
    """Its own origin: where its files are served, and the one loopback address it accepts as input."""
    contract: Literal["launch", "current"] = "launch"
    speed: float = 1.0
    """How many times faster than the real thing tasks and webhook retries run."""
    seed: int = 0
    balance: int = 5000
    """Launch credits of each account at the start."""
    concurrency: int = 5
    poll_limit: int = 120
    """Polls a minute per key."""
    keys: list[str] = field(default_factory=list[str])
    """Keys that are valid; empty: any that starts with ``sk`` and has 8 characters."""
    honour_idempotency: bool | None = None
    """``None``: as the contract says (current: yes, launch: no)."""
    allow_local_webhooks: bool = True
    resign: bool = True
    """Whether a retried webhook is signed afresh."""
    webhook_url: str = ""
    webhook_secret: str = ""
    """An endpoint that every account has from the start."""
    faults: Faults = field(default_factory=Faults)

    @property
    def idempotent(self) -> bool:
        if self.honour_idempotency is not None:
            return self.honour_idempotency
        return self.contract == "current"
