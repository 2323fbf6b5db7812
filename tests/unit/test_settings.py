"""Settings: read from where they stand, and a wrong one named with its value and its rule."""

from pathlib import Path

import pytest

from relay.settings import EXAMPLE_SECRET, Settings, SettingsError, load
from relay.settings_table import SETTINGS


def refused(environ: dict[str, str], toml: str | None = None, tmp_path: Path | None = None) -> str:
    file = None
    if toml is not None and tmp_path is not None:
        file = tmp_path / "beatrelay.toml"
        file.write_text(toml)
    with pytest.raises(SettingsError) as caught:
        load(environ, file)
    return str(caught.value)


def test_without_anything_the_defaults_hold() -> None:
    settings = load({})
    assert (settings.url, settings.lease_seconds, settings.timeout_seconds) == ("http://127.0.0.1:8787", 40.0, 20.0)
    assert settings.client_keys == []


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    file = tmp_path / "beatrelay.toml"
    file.write_text('[relay]\nport = 1111\nhost = "0.0.0.0"\n[beatapi]\nbase_url = "http://127.0.0.1:9"\n')
    assert load({}, file).port == 1111
    assert load({"BEATRELAY_PORT": "2222"}, file).port == 2222
    assert load({"BEATRELAY_PORT": "2222"}, file, port=3333).port == 3333
    assert load({}, file).beatapi_base_url == "http://127.0.0.1:9"
    assert load({}, file).url == "http://127.0.0.1:1111"


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("BEATRELAY_PORT", "70000", "0 to 65535"),
        ("BEATRELAY_PORT", "eighty", "whole number"),
        ("BEATAPI_BASE_URL", "api.beatapi.io", "http(s) origin"),
        ("BEATAPI_BASE_URL", "https://user:pw@api.beatapi.io", "http(s) origin"),
        ("BEATAPI_BASE_URL", "https://api.beatapi.io:70000", "http(s) origin"),
        ("BEATAPI_BASE_URL", "https://api.beatapi.io/v1/", "fragment; write https://api.beatapi.io"),
        (
            "BEATRELAY_PUBLIC_URL",
            "HTTPS://relay.example.com:8443/relay?a=1#b",
            "; write https://relay.example.com:8443",
        ),
        ("BEATRELAY_PUBLIC_URL", "https://relay.example.com?a=1", "; write https://relay.example.com"),
        ("BEATRELAY_PUBLIC_URL", "http://[::1]:8787/#top", "; write http://[::1]:8787"),
        ("BEATRELAY_TIMEOUT_SECONDS", "nan", "0.1 to 600"),
        ("BEATRELAY_ALLOW_PRIVATE", "10.0.0.0/99", "networks"),
        ("BEATAPI_CONTRACT", "newest", "auto, launch or current"),
        ("BEATRELAY_LOG_FORMAT", "xml", "text or json"),
        ("BEATRELAY_VOLATILE_JOURNAL", "maybe", "yes or no"),
    ],
)
def test_a_wrong_value_is_named_with_its_rule(name: str, value: str, rule: str) -> None:
    message = refused({name: value})
    assert message.startswith(f"{name} is {value!r}; it must be ")
    assert rule in message


@pytest.mark.parametrize(
    "value", ["https://relay.example.com", "https://relay.example.com/", "HTTPS://relay.example.com//"]
)
def test_a_slash_at_the_end_of_an_origin_is_fine(value: str) -> None:
    assert load({"BEATRELAY_PUBLIC_URL": value}).url == "https://relay.example.com"


@pytest.mark.parametrize("value", ["secret-without-its-mark", "whsec_1234_masked"])
def test_a_wrong_secret_is_never_shown(value: str) -> None:
    message = refused({"BEATAPI_WEBHOOK_SECRET": value})
    assert value not in message
    assert "whsec_" in message


@pytest.mark.parametrize("value", ["whsec_...", "whsec_abc…"])
def test_an_examples_placeholder_is_no_secret(value: str) -> None:
    assert "BEATAPI_WEBHOOK_SECRET is (not shown); it must be one or more" in refused({"BEATAPI_WEBHOOK_SECRET": value})


def test_the_secret_that_everybody_knows_is_for_the_sandbox_only() -> None:
    text = (Path(__file__).parents[2] / "compose.yaml").read_text()
    assert EXAMPLE_SECRET in text
    environ = {"BEATAPI_WEBHOOK_SECRET": EXAMPLE_SECRET, "BEATAPI_BASE_URL": "http://sandbox:8788"}
    assert load(environ).beatapi_webhook_secret == [EXAMPLE_SECRET]
    assert "which everybody knows" in refused({**environ, "BEATAPI_BASE_URL": "https://api.beatapi.io"})
    assert not load({"BEATAPI_WEBHOOK_SECRET": ""}).beatapi_webhook_secret


def test_all_wrong_values_are_named_at_once(tmp_path: Path) -> None:
    toml = '[relay]\nprot = 1\nport = "x"\n[conections.a]\nb = 1\n'
    message = refused({"BEATAPI_CONTRACT": "x"}, toml, tmp_path)
    assert len(message.splitlines()) == 4
    assert "[relay] prot is not a setting" in message


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"BEATRELAY_LEASE_SECONDS": "20"}, "or a slow delivery is sent twice"),
        ({"BEATRELAY_TIMEOUT_SECONDS": "60"}, "or a slow delivery is sent twice"),
        ({"BEATRELAY_POLL_MIN_SECONDS": "20"}, "it must not be more than"),
    ],
)
def test_an_unsafe_combination_is_refused(environ: dict[str, str], says: str) -> None:
    assert says in refused(environ)


def test_several_secrets_are_active_during_a_rotation() -> None:
    settings = load({"BEATAPI_WEBHOOK_SECRET": "whsec_new, whsec_old"})
    assert settings.beatapi_webhook_secret == ["whsec_new", "whsec_old"]


def test_connections_read_their_secrets_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "beatrelay.toml"
    file.write_text('[connections.hook]\nurl = "https://x.example"\nsecret = "env:HOOK_SECRET"\n')
    settings = load({"HOOK_SECRET": "s3"}, file)
    assert settings.connections == {"hook": {"url": "https://x.example", "secret": "s3"}}
    assert "HOOK_SECRET is not set" in refused({}, file.read_text(), tmp_path)


@pytest.mark.parametrize("toml", ["port = 1", "[relay", "\x00"])
def test_a_file_that_is_no_settings_file_is_refused(toml: str, tmp_path: Path) -> None:
    assert "beatrelay.toml" in refused({}, toml, tmp_path)


def test_a_settings_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot be read by user [0-9]+: Is a directory"):
        load({}, tmp_path)


def test_clients_use_the_beat_api_key_until_the_relay_has_its_own() -> None:
    assert load({"BEATAPI_API_KEY": "sk_1"}).client_keys == ["sk_1"]
    assert load({"BEATAPI_API_KEY": "sk_1", "BEATRELAY_API_KEYS": "brk_1 brk_2"}).client_keys == ["brk_1", "brk_2"]


def test_every_setting_of_the_table_is_a_field_and_the_other_way_round() -> None:
    of_the_file = {"connections", "rates", "sheets", "origins"}
    assert {setting.field for setting in SETTINGS} | of_the_file == set(Settings.__struct_fields__)


def test_triggers_have_secrets_by_name() -> None:
    first, second = (f"whsec_{letter * 32}" for letter in "AB")
    settings = load({"BEATRELAY_TRIGGER_SECRETS": f"songs={first} ads={second}, songs={second}"})
    assert settings.trigger_secrets == {"songs": [first, second], "ads": [second]}


@pytest.mark.parametrize(
    "value", ["whsec_AAAA", "songs=", "songs=whsec_AAAA", "so,ngs=x", "songs=whsec_*", "=whsec_" + "A" * 32]
)
def test_a_wrong_secret_of_a_trigger_is_never_shown(value: str) -> None:
    message = refused({"BEATRELAY_TRIGGER_SECRETS": value})
    assert value not in message
    assert "NAME=whsec_…" in message
