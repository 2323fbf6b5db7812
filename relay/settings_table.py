"""Every setting: how the environment and the file call it, how it is read, and what a person should know."""

import base64
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: how the environment and the file call it, how it is read, and what a person should know."""

    field: str
    env: str
    read: Callable[[str], Any]
    rule: str
    help: str
    secret: bool = False

    @property
    def path(self) -> tuple[str, str]:
        """Section and key in ``beatrelay.toml``."""
        section, _, key = self.env.partition("_")
        return ("beatapi" if section == "BEATAPI" else "relay", key.lower())


class WriteInstead(ValueError):
    """A value that breaks its rule although it is clear what is meant: the message is what to write."""


def _origin(text: str) -> str:
    """A URL without path, query and fragment, for others are built from it."""
    found = re.fullmatch(r"(?i)(https?)://(\[[0-9a-f:.]+\]|[^\s/?#@\\:]+)(:[0-9]{1,5})?(.*)", text, re.DOTALL)
    if found is None:
        raise ValueError
    scheme, host, port, rest = found.groups(default="")
    if port and not 0 < int(port[1:]) < 65536:
        raise ValueError
    origin = f"{scheme.lower()}://{host}{port}"
    if rest.strip("/"):
        raise WriteInstead(origin) if rest[0] in "/?#" else ValueError
    return origin


def _number(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return read


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _secrets(text: str) -> list[str]:
    secrets = _words(text)
    masked = re.compile("masked|[.]{3}|…")  # as pages show it, or as the example has it
    if any(not secret.startswith("whsec_") or masked.search(secret) for secret in secrets):
        raise ValueError
    return secrets


def _trigger_secrets(text: str) -> dict[str, list[str]]:
    """``songs=whsec_…``, a name again for a second secret."""
    found: dict[str, list[str]] = {}
    for word in _words(text):
        name, _, secret = word.partition("=")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}", name):
            raise ValueError
        if not 24 <= len(base64.b64decode("".join(_secrets(secret)).removeprefix("whsec_"), validate=True)) <= 64:
            raise ValueError
        found.setdefault(name, []).append(secret)
    return found


def _networks(text: str) -> list[str]:
    entries = _words(text)
    for entry in entries:
        if "/" in entry:
            ipaddress.ip_network(entry)
    return entries


def _addresses(text: str) -> list[str]:
    entries = _words(text)
    for entry in entries:
        ipaddress.ip_network(entry)
    return entries


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError
        return text

    return read


def _yes(text: str) -> bool:
    return _one_of("yes", "no", "true", "false")(text.lower()) in ("yes", "true")


def _key(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError
    return text


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "beatapi_base_url",
        "BEATAPI_BASE_URL",
        _origin,
        "an http(s) origin such as https://api.beatapi.io, without path, query and fragment",
        "Where Beat API is.",
    ),
    Setting(
        "beatapi_api_key",
        "BEATAPI_API_KEY",
        _key,
        "printable ASCII without spaces, such as sk_…",
        "Your Beat API key.",
        secret=True,
    ),
    Setting(
        "beatapi_webhook_secret",
        "BEATAPI_WEBHOOK_SECRET",
        _secrets,
        "one or more whsec_… values, separated by spaces; not a masked one",
        "Secrets of your Beat API webhook endpoints; several during a rotation.",
        secret=True,
    ),
    Setting(
        "beatapi_contract",
        "BEATAPI_CONTRACT",
        _one_of("auto", "launch", "current"),
        "auto, launch or current",
        "Which contract Beat API speaks. Decides whether an unanswered create may be sent again.",
    ),
    Setting("host", "BEATRELAY_HOST", str, "a name or address to listen on", "Address to listen on."),
    Setting(
        "port",
        "BEATRELAY_PORT",
        _whole(0, 65535),
        "a whole number from 0 to 65535 (0 picks a free one)",
        "Port to listen on.",
    ),
    Setting(
        "public_url",
        "BEATRELAY_PUBLIC_URL",
        _origin,
        "an http(s) origin such as https://relay.example.com, without path, query and fragment",
        "How others reach this relay; stands in media links.",
    ),
    Setting(
        "api_keys",
        "BEATRELAY_API_KEYS",
        _words,
        "keys separated by spaces",
        "Keys that open this relay's API. Default: the Beat API key.",
        secret=True,
    ),
    Setting(
        "trusted_proxies",
        "BEATRELAY_TRUSTED_PROXIES",
        _addresses,
        "addresses or networks, separated by spaces",
        "Proxies before the relay: only their X-Forwarded-For names who asks, and so who guesses passwords.",
    ),
    Setting("data", "BEATRELAY_DATA", Path, "a folder", "Journal and media."),
    Setting(
        "vault_key",
        "BEATRELAY_VAULT_KEY",
        _words,
        "keys as `beatrelay vault key` makes them, separated by spaces, the one that seals first",
        "Keys that seal stored secrets. Default: those in the vault's file.",
        secret=True,
    ),
    Setting(
        "vault_file",
        "BEATRELAY_VAULT_FILE",
        Path,
        "a file that only its owner can read",
        "Where the vault's keys are, if not in BEATRELAY_VAULT_KEY. Default: vault.key in the data folder.",
    ),
    Setting("recipes", "BEATRELAY_RECIPES", Path, "a folder", "Recipes: *.yaml."),
    Setting(
        "allow_private",
        "BEATRELAY_ALLOW_PRIVATE",
        _networks,
        "hosts, host:port pairs or networks, separated by spaces",
        "Private addresses that deliveries may reach, such as a local n8n.",
    ),
    Setting(
        "poll_min_seconds",
        "BEATRELAY_POLL_MIN_SECONDS",
        _number(0.05, 3600),
        "a number from 0.05 to 3600",
        "Shortest wait between two polls of a running task.",
    ),
    Setting(
        "poll_max_seconds",
        "BEATRELAY_POLL_MAX_SECONDS",
        _number(0.05, 3600),
        "a number from 0.05 to 3600",
        "Longest wait between two polls of a running task.",
    ),
    Setting(
        "polls_per_minute",
        "BEATRELAY_POLLS_PER_MINUTE",
        _whole(1, 100_000),
        "a whole number from 1",
        "Polls a minute that all tasks share.",
    ),
    Setting(
        "webhook_grace_seconds",
        "BEATRELAY_WEBHOOK_GRACE_SECONDS",
        _number(0, 86400),
        "a number from 0 to 86400",
        "How long polls may fail before a signed webhook alone is believed.",
    ),
    Setting(
        "trigger_secrets",
        "BEATRELAY_TRIGGER_SECRETS",
        _trigger_secrets,
        "one or more of NAME=whsec_…, separated by spaces, each secret base64 of 24 to 64 bytes",
        "Secrets of triggers that take signed requests; several of one name during a rotation.",
        secret=True,
    ),
    Setting(
        "input_check",
        "BEATRELAY_INPUT_CHECK",
        _one_of("off", "warn", "refuse"),
        "off, warn or refuse",
        "Fetch what a request links to and check type, size, length and shape: not at all, for a warning in the"
        " task's history, or to refuse.",
    ),
    Setting(
        "input_check_seconds",
        "BEATRELAY_INPUT_CHECK_SECONDS",
        _number(0.1, 60),
        "a number from 0.1 to 60",
        "Longest time that this check may hold a request up.",
    ),
    Setting(
        "timeout_seconds",
        "BEATRELAY_TIMEOUT_SECONDS",
        _number(0.1, 600),
        "a number from 0.1 to 600",
        "Longest time for one delivery attempt.",
    ),
    Setting(
        "connect_timeout_seconds",
        "BEATRELAY_CONNECT_TIMEOUT_SECONDS",
        _number(0.1, 600),
        "a number from 0.1 to 600",
        "Longest time to connect.",
    ),
    Setting(
        "lease_seconds",
        "BEATRELAY_LEASE_SECONDS",
        _number(0.2, 3600),
        "a number from 0.2 to 3600",
        "How long a worker may be silent before its delivery is given to another.",
    ),
    Setting(
        "media_timeout_seconds",
        "BEATRELAY_MEDIA_TIMEOUT_SECONDS",
        _number(1, 86400),
        "a number from 1 to 86400",
        "Longest time to copy one finished file.",
    ),
    Setting(
        "media_max_bytes",
        "BEATRELAY_MEDIA_MAX_BYTES",
        _whole(1, 2**50),
        "a whole number of bytes",
        "Largest file that is archived.",
    ),
    Setting(
        "workers",
        "BEATRELAY_WORKERS",
        _whole(1, 256),
        "a whole number from 1 to 256",
        "Deliveries under way at once.",
    ),
    Setting(
        "drain_seconds",
        "BEATRELAY_DRAIN_SECONDS",
        _number(0, 3600),
        "a number from 0 to 3600",
        "How long a stop waits for work under way.",
    ),
    Setting(
        "retention_days",
        "BEATRELAY_RETENTION_DAYS",
        _whole(1, 36500),
        "a whole number from 1",
        "How long receipts, history, notes and notices of finished work are kept; tasks and their cost stay for ever.",
    ),
    Setting(
        "volatile_journal",
        "BEATRELAY_VOLATILE_JOURNAL",
        _yes,
        "yes or no",
        "Allow a journal that a restart loses (tmpfs).",
    ),
    Setting("log_format", "BEATRELAY_LOG_FORMAT", _one_of("text", "json"), "text or json", "How log lines look."),
)
