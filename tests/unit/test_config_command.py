"""``beatrelay config check`` says what is wrong with a file before anything starts."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from relay.cli import main

SHEET = '[sheets.songs]\nconnection = "google"\n'


def check(folder: Path, toml: str) -> Result:
    (folder / "beatrelay.toml").write_text(toml, encoding="utf-8")
    return CliRunner().invoke(main, ["config", "check", "--config", str(folder / "beatrelay.toml")])


def test_settings_that_are_fine_are_said_to_be(tmp_path: Path) -> None:
    told = check(tmp_path, SHEET + 'every = "30s"\ncredits_per_day = 500\n')
    assert told.exit_code == 0
    assert "sheets watched: songs" in told.output


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('every = "5s"', "[sheets.songs] every is '5s'; it must be a time from \"15s\""),
        ('cron = "0 9 * *"', "[sheets.songs] cron: a schedule has five fields"),
        ("credits_per_day = 0", "[sheets.songs] credits_per_day is '0'; it must be a number above 0"),
        ('push_secret = "hush"', "[sheets.songs] push_secret is (not shown)"),
        ('push_secret = "env:NOT_THERE"', "NOT_THERE is not set"),
        ('spreadsheet = "my sheet"', "[sheets.songs] spreadsheet is 'my sheet'"),
        ('rnage = "A1:K"', "[sheets.songs]: Object contains unknown field `rnage`"),
    ],
)
def test_what_is_wrong_with_a_sheet_is_said_with_its_rule(tmp_path: Path, more: str, says: str) -> None:
    told = check(tmp_path, f"{SHEET}{more}\n")
    assert told.exit_code == 1
    assert says in told.output
