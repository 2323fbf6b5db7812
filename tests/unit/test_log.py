"""What is blanked before anybody sees it."""

from typing import Any

import pytest

from relay.log import redact_named


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
