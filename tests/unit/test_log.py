"""What is blanked before anybody sees it."""

import json
import logging
import sys
import threading
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.log import JsonFormatter, configure, hide, redact, redact_all, redact_named

ODD = 'p"w\\d\n\u00fc\t1'
hide([ODD, "hush-hush-hush"])


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "Proxy-Authorization",
        "cookie",
        "set-cookie",
        "password",
        "DB_PASSWORD",
        "x-api-key",
        "apikey",
        "x-make-apikey",
        "api_key",
        "secret",
        "client_secret",
        "access token",
        "refresh_token",
        "x-auth-token",
        "private_key",
    ],
)
def test_what_stands_under_the_name_of_a_secret(name: str) -> None:
    deep: Any = {"a": [{name: "hush", "b": "said"}], name: {"even": "this"}}
    assert redact_named(deep) == {"a": [{name: "…", "b": "said"}], name: "…"}


@pytest.mark.parametrize("name", ["title", "key", "tokens", "secretary", "passage", "author", "id", "monkey"])
def test_innocent_names_keep_what_they_have(name: str) -> None:
    assert redact_named({name: "said"}) == {name: "said"}


@pytest.mark.parametrize("empty", ["", None, 0, False, [], {}])
def test_nothing_is_seen_to_be_nothing(empty: Any) -> None:
    assert redact_named({"token": empty}) == {"token": empty}


PIECES = (
    "hush-hush-hush",
    ODD,
    "sk-abcdef12345",
    "Bearer xyz",
    "whsec_abcdefgh",
    "task_sk_12345678",
    "\n",
    '"',
    "\\",
    " ",
    "x",
    "task_",
)


@given(
    st.recursive(
        st.lists(st.sampled_from(PIECES)).map("".join), lambda some: st.lists(some) | st.dictionaries(st.text(), some)
    )
)
def test_a_secret_is_found_wherever_it_stands(value: Any) -> None:
    """What is looked for first is looked for in the JSON of it all, where a text may look otherwise."""

    def each(thing: Any) -> Any:
        if isinstance(thing, str):
            return redact(thing)
        if isinstance(thing, dict):
            return {each(key): each(child) for key, child in thing.items()}
        return [each(child) for child in thing]

    assert redact_all(value) == each(value)


def line(text: str, *values: object, error: BaseException | None = None) -> dict[str, Any]:
    caught = (type(error), error, None) if error is not None else None
    found = JsonFormatter().format(logging.LogRecord("x", logging.INFO, "", 0, text, values, caught))
    assert "\n" not in found
    return json.loads(found)


def test_a_json_line_stays_one_whatever_is_in_it() -> None:
    assert line("Authorization: Bearer abcdef")["message"] == "Authorization: Bearer …"
    assert line('key "sk_live_1234567890"\n%s', "two")["message"] == 'key "sk_…"\ntwo'
    assert line("é \udc80 \x00")["message"] == "é \udc80 \x00"
    assert line("%d of %d", "one")["message"] == "%d of %d ('one',)"
    failed = line("it failed", error=ValueError("Bearer abcdef"))
    assert failed["error"] == "ValueError: Bearer …"


def test_what_goes_past_the_log_is_caught(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for owner, name in ((sys, "excepthook"), (threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    logging.captureWarnings(False)  # somebody else's test may have begun it
    configure("json")
    warnings.warn("this is old", stacklevel=1)
    sys.excepthook(ValueError, ValueError("the end"), None)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    lines = [json.loads(text) for text in capsys.readouterr().err.splitlines()]
    assert ["this is old" in lines[0]["message"], *(one["message"] for one in lines[1:])] == [
        True,
        "the process ends by an error",
        "a thread has ended by an error",
    ]
    assert "ZeroDivisionError" in lines[2]["error"]
