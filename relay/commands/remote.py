"""The running relay's own API, as the commands use it."""

import os
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click
import httpx

from relay.settings import Settings, SettingsError, load

SECONDS = 120.0


class Away(click.ClickException):
    """No relay answers, or it cannot answer now; it may be back in a moment."""


class Api:
    """Asks the running relay; a refusal ends the command with the relay's own words."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.url
        key = settings.client_keys[0] if settings.client_keys else ""
        self._headers = {"authorization": f"Bearer {key}"}

    def call(self, method: str, path: str, *, headers: dict[str, str] | None = None, **body: Any) -> Any:
        """The ``data`` of the answer, ``None`` if it has no body. ``body`` is what httpx takes: ``json``, ``content``
        or ``files``."""
        answer = self._ask(method, path, headers or {}, **body)
        if answer.status_code == HTTPStatus.NO_CONTENT:
            return None
        try:
            return answer.json()["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise click.ClickException(_words(answer)) from error

    def raw(self, method: str, path: str) -> bytes:
        """The answer as it is: a file."""
        return self._ask(method, path, {}).content

    def _ask(self, method: str, path: str, headers: dict[str, str], **body: Any) -> httpx.Response:
        try:
            answer = httpx.request(
                method, self._url + path, headers={**self._headers, **headers}, timeout=SECONDS, trust_env=False, **body
            )
        except httpx.HTTPError as error:
            raise Away(f"no relay answers at {self._url}: {error}; is `beatrelay serve` running?") from error
        if not answer.is_success:
            raise (Away if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE else click.ClickException)(
                _words(answer)
            )
        return answer


def api_of(url: str | None, config: Path) -> Api:
    """The relay that the settings, or ``url``, name."""
    return Api(settings_of(url, config))


def settings_of(url: str | None, config: Path) -> Settings:
    """The settings of the file ``config`` and of the environment; ``url``, if given, is where the relay is. What is
    wrong with them ends the command."""
    try:
        return load(os.environ, config, public_url=url and url.rstrip("/"))
    except SettingsError as error:
        raise click.ClickException(f"the settings are wrong:\n{error}") from error


def _words(answer: httpx.Response) -> str:
    try:
        return answer.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return f"{answer.url} answered {answer.status_code}, which is not how a relay answers"
