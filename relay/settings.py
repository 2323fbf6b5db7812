"""What can be set, from where, and by which rule. A wrong setting stops the start with its name, its value
and the rule it breaks.

The environment wins over ``beatrelay.toml``; there ``[beatapi] base_url`` is ``BEATAPI_BASE_URL`` and
``[relay] port`` is ``BEATRELAY_PORT``. Rates, connections and sheets are the file's only: ``[connections.NAME]`` holds
what a connector needs, ``[sheets.NAME]`` is a Google sheet to watch; a value ``env:NAME`` is read from the environment,
so that secrets need not stand in a file.
"""

import os
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct, field

from relay.contract.pricing import RATES, RateTable
from relay.settings_sheets import SheetSettings, read_sheets
from relay.settings_table import SETTINGS, Setting, WriteInstead

COMMAND = "the command line"


EXAMPLE_SECRET = "whsec_for_development_only"  # noqa: S105 (it is none: that is the point)
"""What compose.yaml gives to the relay and to the sandbox."""


class SettingsError(Exception):
    """One or more settings are wrong; the message lists them all."""


class Settings(Struct, frozen=True, kw_only=True):
    """Every setting of a relay, checked."""

    beatapi_base_url: str = "https://api.beatapi.io"
    beatapi_api_key: str = ""
    beatapi_webhook_secret: list[str] = field(default_factory=list[str])
    beatapi_contract: Literal["auto", "launch", "current"] = "auto"
    host: str = "127.0.0.1"
    port: int = 8787
    public_url: str = ""
    api_keys: list[str] = field(default_factory=list[str])
    trusted_proxies: list[str] = field(default_factory=list[str])
    trigger_secrets: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    data: Path = Path("beatrelay-data")
    recipes: Path = Path("recipes")
    vault_key: list[str] = field(default_factory=list[str])
    vault_file: Path | None = None
    allow_private: list[str] = field(default_factory=list[str])
    poll_min_seconds: float = 5.0
    poll_max_seconds: float = 10.0
    polls_per_minute: int = 120
    webhook_grace_seconds: float = 120.0
    input_check: Literal["off", "warn", "refuse"] = "off"
    input_check_seconds: float = 10.0
    timeout_seconds: float = 20.0
    connect_timeout_seconds: float = 5.0
    lease_seconds: float = 40.0
    media_timeout_seconds: float = 600.0
    media_max_bytes: int = 2 * 1024**3
    workers: int = 64
    drain_seconds: float = 30.0
    retention_days: int = 90
    volatile_journal: bool = False
    log_format: str = "text"
    rates: RateTable = RateTable()
    connections: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    origins: dict[str, str] = field(default_factory=dict[str, str])
    """Where each setting that somebody gave came from: the name of a variable, or the file and the place in it."""
    sheets: dict[str, SheetSettings] = field(default_factory=dict[str, SheetSettings])

    @property
    def url(self) -> str:
        """Where people and tools reach this relay."""
        if self.public_url:
            return self.public_url
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 (only compared)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def vault_path(self) -> Path:
        """The file of the vault's keys, when the environment gives none."""
        return self.vault_file or self.data / "vault.key"

    @property
    def client_keys(self) -> list[str]:
        """Keys that open this relay's own API. Without any of its own, the Beat API key does, so that a
        client of Beat API changes nothing but its base URL."""
        return self.api_keys or ([self.beatapi_api_key] if self.beatapi_api_key else [])


def load(environ: Mapping[str, str], file: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings; ``overrides`` (from the command line) win over all. Raises :class:`SettingsError`."""
    document = _read_file(file)
    problems: list[str] = []
    found: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for setting in SETTINGS:
        text, origin = _look_up(setting, environ, document, file)
        if text is None or text == "":
            continue
        try:
            found[setting.field] = setting.read(text)
            origins[setting.field] = origin
        except ValueError as error:
            shown = "(not shown)" if setting.secret else repr(text)
            instead = f"; write {error}" if isinstance(error, WriteInstead) else ""
            problems.append(f"{origin} is {shown}; it must be {setting.rule}{instead}")
    problems += _unknown(document, file)
    found["rates"] = _rates(document, file, problems)
    found["connections"] = _connections(document, environ, problems)
    given = {name: value for name, value in overrides.items() if value is not None}
    origins |= {name: COMMAND for name in given if name in {setting.field for setting in SETTINGS}}
    found["sheets"] = read_sheets(document.get("sheets", {}), environ, problems)
    settings = Settings(**{**found, **given}, origins=origins)
    problems += _unsafe(settings)
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


_Document = dict[str, dict[str, Any]]


def _read_file(file: Path | None) -> _Document:
    if file is None:
        return {}
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
        return msgspec.convert(document, _Document)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{file} cannot be read by user {os.geteuid()}: {error.strerror}") from error
    except msgspec.ValidationError as error:
        raise SettingsError(f"{file} must hold tables such as [relay] only: {error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not TOML: {error}") from error


def _look_up(
    setting: Setting, environ: Mapping[str, str], document: _Document, file: Path | None
) -> tuple[str | None, str]:
    if setting.env in environ:
        return environ[setting.env].strip(), setting.env
    section, key = setting.path
    value = document.get(section, {}).get(key)
    origin = f"{file}: [{section}] {key}"
    if value is None:
        return None, origin
    if isinstance(value, list):
        return " ".join(map(str, cast("list[Any]", value))), origin
    return _resolve(str(value), environ), origin


def _resolve(value: str, environ: Mapping[str, str]) -> str:
    return environ.get(value[4:], "") if value.startswith("env:") else value


def _unknown(document: _Document, file: Path | None) -> list[str]:
    known = {setting.path for setting in SETTINGS}
    problems: list[str] = []
    for section, content in document.items():
        if section in ("connections", "rates", "sheets"):
            continue
        problems += [
            f"{file}: [{section}] {key} is not a setting; see `beatrelay serve --help`"
            for key in content
            if (section, key) not in known
        ]
    return problems


def _rates(document: _Document, file: Path | None, problems: list[str]) -> RateTable:
    """``[rates]``: rates of the launch contract, in credits; with ``unit = "usd"``, of the current one, in dollars."""
    given = dict(document.get("rates", {}))
    unit = given.pop("unit", "credits")
    if unit not in ("credits", "usd"):
        problems.append(f"{file}: [rates] unit is {unit!r}; it must be credits or usd")
        return RateTable()
    rates: dict[str, Decimal] = {}
    for name, value in given.items():
        if name not in RATES:
            problems.append(f"{file}: [rates] {name} is not a rate; there are {', '.join(sorted(RATES))}")
        elif not isinstance(value, int | Decimal) or isinstance(value, bool) or not 0 <= value < 10**6:
            problems.append(f"{file}: [rates] {name} is {value!r}; it must be a number from 0")
        else:
            rates[name] = Decimal(value)
    return RateTable().override(unit, rates)


def _connections(document: _Document, environ: Mapping[str, str], problems: list[str]) -> dict[str, dict[str, str]]:
    connections: dict[str, dict[str, str]] = {}
    for name, content in document.get("connections", {}).items():
        if not isinstance(content, dict):
            problems.append(f"[connections.{name}] must be a table of names and values")
            continue
        entries = cast("dict[str, Any]", content)
        connections[name] = {}
        for key, value in entries.items():
            if isinstance(value, str) and value.startswith("env:") and value[4:] not in environ:
                problems.append(f"[connections.{name}] {key} is {value!r}, but {value[4:]} is not set")
            connections[name][key] = _resolve(str(value), environ)
    return connections


def _unsafe(settings: Settings) -> list[str]:
    """Combinations that would lose or double work, or let strangers in."""
    problems: list[str] = []
    if EXAMPLE_SECRET in settings.beatapi_webhook_secret and settings.beatapi_base_url.startswith("https://"):
        problems.append(
            f"BEATAPI_WEBHOOK_SECRET is {EXAMPLE_SECRET}, which everybody knows: with it anybody could tell of finished"
            " videos; it must be your endpoint's own, or empty for none"
        )
    if settings.lease_seconds <= settings.timeout_seconds:
        problems.append(
            f"BEATRELAY_LEASE_SECONDS is {settings.lease_seconds:g}; it must be more than"
            f" BEATRELAY_TIMEOUT_SECONDS ({settings.timeout_seconds:g}), or a slow delivery is sent twice"
        )
    if settings.poll_min_seconds > settings.poll_max_seconds:
        problems.append(
            f"BEATRELAY_POLL_MIN_SECONDS is {settings.poll_min_seconds:g}; it must not be more than"
            f" BEATRELAY_POLL_MAX_SECONDS ({settings.poll_max_seconds:g})"
        )
    return problems
