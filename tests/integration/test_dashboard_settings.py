"""The page of settings: each with its value and where it came from; no secret in it."""

import html
import re
from pathlib import Path

from relay.settings import load
from relay.settings_table import SETTINGS
from tests.browser_pages import XSS, Open, Start, signed_in
from tests.integration.conftest import HOOK_SECRET, KEY, SECRET


def line_of(page: str, name: str) -> str:
    found = re.search(rf'<tr id="{name}">(.*?)</tr>', page, re.DOTALL)
    assert found, name
    return " ".join(html.unescape(re.sub("<.*?>", " ", found.group(1))).split())


def test_each_setting_says_its_value_and_where_it_came_from(start: Start, browsers: Open, tmp_path: Path) -> None:
    file = tmp_path / "<b>beatrelay.toml"
    file.write_text(
        f'[beatapi]\napi_key = "{KEY}"\n[relay]\nworkers = 7\nallow_private = ["a.local", "b.local:80"]\n'
        f'recipes = "{XSS.split(chr(34))[0]}"\n[rates]\ncompose = 3\n'
    )
    loaded = load({"BEATRELAY_RETENTION_DAYS": "30", "BEATAPI_WEBHOOK_SECRET": SECRET}, file, log_format="json")
    wanted = {
        name: getattr(loaded, name)
        for name in ["workers", "retention_days", "log_format", "recipes", "rates", "origins"]
    }
    line = start(**wanted)
    page = signed_in(line, browsers(line)).see("/settings")
    for setting in SETTINGS:
        shown = line_of(page, setting.field)
        assert setting.path[1] in shown
        assert setting.help.replace("`", "").split(";")[0][:30] in shown.replace(" .", ".")
    assert line_of(page, "workers").endswith(f"7 {file}: [relay] workers")
    assert line_of(page, "retention_days").endswith("30 BEATRELAY_RETENTION_DAYS")
    assert line_of(page, "log_format").endswith("json the command line")
    assert line_of(page, "drain_seconds").endswith("30 default")
    assert line_of(page, "beatapi_api_key").endswith(f" set {file}: [beatapi] api_key")
    assert line_of(page, "vault_key").endswith("not set default")
    assert "then restart the relay" in page
    assert "<b>" not in page
    assert "<script>alert" not in page
    for secret in (KEY, SECRET, HOOK_SECRET):
        assert secret not in page
    assert re.search(r"<code>compose</code></th><td>3</td><td>1.00</td><td><code>beatrelay.toml", page)
    assert 'href="/connections/hook"' in page


def test_where_a_setting_came_from_is_known_after_loading(tmp_path: Path) -> None:
    file = tmp_path / "beatrelay.toml"
    file.write_text('[relay]\nport = 9000\nhost = "env:WHERE"\n')
    environ = {"BEATRELAY_PORT": "9001", "WHERE": "::1", "BEATRELAY_PUBLIC_URL": ""}
    origins = load(environ, file, data=tmp_path).origins
    assert origins == {"port": "BEATRELAY_PORT", "host": f"{file}: [relay] host", "data": "the command line"}
