"""Log lines: one per event, text for people or JSON for machines, secrets blanked."""

import base64
import functools
import json
import logging
import re
import sys
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, cast
from urllib.parse import quote, urlsplit

import msgspec

_SECRET = re.compile(r"\b(sk[_-]|whsec_|whsk_|brk_|apv_|xox[a-z]-)[\w+/=-]{6,}|(?<=Bearer )\S+")

_SIGNS = ("sk_", "sk-", "whsec_", "whsk_", "brk_", "apv_", "xox", "Bearer ")
"""One of these is in every text that :data:`_SECRET` matches, and in its JSON; so is ``task_``, and means nothing."""

_SECRET_NAME = re.compile(
    r"(.*[-_. ])?(authorization|cookie|pass(word|wd|phrase)?|secret|token|credentials?"
    r"|(api|access|private|auth)[-_ ]?key)",
    re.IGNORECASE,
)
"""What people call a header, or a field, that holds a secret."""

SHORTEST = 6
"""Characters: a shorter value would blank innocent words, so it is not looked for."""


SECRET_PATH = 16
"""Characters: the path of a secret URL is itself looked for from this length on."""


class _Hidden:
    """Every secret value that this process has seen, in the forms in which it may come back."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._signs: list[str] = []
        self._pattern: re.Pattern[str] | None = None

    def add(self, values: Iterable[str]) -> None:
        forms = {form for value in values for form in _forms(value)} - self._forms
        if forms:
            self._forms |= forms
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
            self._signs = _shortest({sign for form in self._forms for sign in (form, _in_json(form))})

    def may_be_in(self, text: str) -> bool:
        """Whether one of them stands in ``text``, or in what ``text`` is the JSON of: much faster than the pattern."""
        return any(sign in text for sign in self._signs)

    def blank(self, text: str) -> str:
        return self._pattern.sub("…", text) if self._pattern and self.may_be_in(text) else text


_hidden = _Hidden()


def hide(values: Iterable[str]) -> None:
    """From now on blank these very values wherever :func:`redact` or :func:`blanked` looks. Never undone: an old
    secret is still a secret."""
    _hidden.add(values)


def blanked(text: str) -> str:
    """``text`` with every known secret value blanked, and nothing else."""
    return _hidden.blank(text)


def redact(text: str) -> str:
    """``text`` with known secrets blanked, and everything that looks like one, its kind left to see."""
    return _SECRET.sub(lambda match: (match.group(1) or "") + "…", _hidden.blank(text))


def redact_all(value: Any) -> Any:
    """JSON-ready data with every text in it redacted."""
    return _redacted(value) if _suspicious(msgspec.json.encode(value).decode()) else value


def _suspicious(text: str) -> bool:
    """Whether there may be anything to blank in what ``text`` is the JSON of. Nearly always there is not."""
    innocent = text.replace("task_", "")
    return _hidden.may_be_in(text) or any(sign in innocent for sign in _SIGNS)


def redact_named(value: Any) -> Any:
    """As :func:`redact_all`; and whatever stands under a name such as ``authorization`` or ``x-api-key`` is blanked."""
    return redact_all(blanked_by_name(value))


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {_redacted(key): _redacted(child) for key, child in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_redacted(child) for child in cast("list[Any]", value)]
    return value


def blanked_by_name(value: Any) -> Any:
    """JSON-ready data without what stands under a name such as ``authorization`` or ``x-api-key``."""
    if isinstance(value, dict):
        return {
            key: "…" if child and _names_a_secret(str(key)) else blanked_by_name(child)
            for key, child in cast("dict[Any, Any]", value).items()
        }
    if isinstance(value, list | tuple):
        return [blanked_by_name(child) for child in cast("list[Any]", value)]
    return value


@functools.lru_cache(maxsize=4096)
def _names_a_secret(name: str) -> bool:
    return _SECRET_NAME.fullmatch(name) is not None


def _forms(value: str) -> set[str]:
    """A secret as it is, and as JSON, a URL or a Basic header would carry it; each of several in one value too."""
    if len(value) < SHORTEST:
        return set()
    words = {value, *re.split(r"[\s,]+", value)}
    if value.startswith(("https://", "http://")):
        words = _url_secrets(value)
    forms = {form for word in words for form in (word, json.dumps(word)[1:-1], quote(word, safe=""))}
    forms |= {base64.b64encode(word.encode()).decode().rstrip("=") for word in words}
    return {form for form in forms if len(form) >= SHORTEST}


def _in_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _shortest(texts: set[str]) -> list[str]:
    """Those that hold none of the others: who finds none of these finds none at all."""
    found: list[str] = []
    for text in sorted(texts, key=len):
        if not any(known in text for known in found):
            found.append(text)
    return found


def _url_secrets(url: str) -> set[str]:
    """Only what is behind the host makes a URL secret; a long path alone opens the door as well."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    if len(path) < SHORTEST:
        return set()
    return {url, path} if len(path) >= SECRET_PATH else {url}


class TextFormatter(logging.Formatter):
    """``12:00:00 warning  message``."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return redact(f"{at} {record.levelname.lower():8} {_message(record)}{trace}")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``at``, ``level``, ``logger``, ``message``, ``error``."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(_message(record)),
        }
        if record.exc_info:
            line["error"] = redact(self.formatException(record.exc_info))
        return json.dumps(line)  # blanked before, for a blank that takes in a quote would break it


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # of a package that logs other values than its text asks for
        return f"{record.msg} {record.args}"


def configure(form: str) -> None:
    """Send log lines to standard error; ``form`` is ``text`` or ``json``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for noisy in ("httpx", "httpcore", "apscheduler", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    if form == "json":
        _catch_the_rest()


def _catch_the_rest() -> None:
    """Nothing goes past the log, not even the end of a thread or of the process by an error."""
    log = logging.getLogger("beatrelay")

    def ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            log.critical("the process ends by an error", exc_info=(kind, error, trace))

    def thread_ended(thread: threading.ExceptHookArgs) -> None:
        log.critical("a thread has ended by an error", exc_info=thread.exc_value)

    def ignored(left: "sys.UnraisableHookArgs") -> None:
        log.error("%s %r", left.err_msg or "an error was ignored in", left.object, exc_info=left.exc_value)

    sys.excepthook, threading.excepthook, sys.unraisablehook = ended, thread_ended, ignored
