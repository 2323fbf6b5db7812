"""``beatrelay recipes``: begin, look, try; nothing is ever sent or overwritten."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from connectors import discover
from relay.cli import main
from relay.recipe.document import read
from relay.recipe.gallery import gallery
from relay.recipe.schema import schema

CONFIGS = {name: connector.Config for name, connector in discover()[0].items()}
GALLERY = Path("recipes/gallery")
SHIPPED = sorted(Path("recipes").rglob("*.yaml"))


@pytest.fixture(autouse=True)
def nothing_kept(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder without a journal, whatever was run here before: its connections would be checked against."""
    monkeypatch.setenv("BEATRELAY_DATA", str(tmp_path_factory.mktemp("data")))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["recipes", *arguments])


def test_the_gallery_is_listed_with_one_line_each() -> None:
    lines = run("new").output.splitlines()
    assert len(lines) == len(list(GALLERY.glob("*.yaml"))) == len(gallery())
    assert all(line.endswith(".") for line in lines)


def test_a_recipe_of_the_gallery_is_copied_once_and_passes_the_check(tmp_path: Path) -> None:
    assert run("new", "zapier", "--folder", str(tmp_path)).exit_code == 0
    with (tmp_path / "zapier.yaml").open("a") as copy:
        copy.write("# mine\n")
    again = run("new", "zapier", "--folder", str(tmp_path))
    assert (again.exit_code, "exists" in again.output) == (1, True)
    assert (tmp_path / "zapier.yaml").read_text().endswith("# mine\n")
    assert "1 recipe is fine" in run("check", str(tmp_path), "--config", str(tmp_path / "none.toml")).output
    assert "did you mean 'zapier'?" in run("new", "zappier", "--folder", str(tmp_path)).output


def test_buttons_whose_clicks_nobody_could_verify_are_told_of(tmp_path: Path) -> None:
    run("new", "slack-approve-storyboard", "--folder", str(tmp_path))
    settings = tmp_path / "beatrelay.toml"
    checked = ("check", str(tmp_path / "slack-approve-storyboard.yaml"), "--config", str(settings))
    settings.write_text('[connections.team-slack]\nconnector = "slack"\ntoken = "xoxb-1"\n')
    told = run(*checked)
    assert told.exit_code == 1
    assert "the connection 'team-slack' has no `signing_secret`: no click could be told" in told.output
    assert re.search(r"storyboard.yaml:\d+:17: ", told.output), "where the step names it"
    assert "`beatrelay connections set team-slack signing_secret=?`" in told.output
    settings.write_text(settings.read_text() + 'signing_secret = "8f742231b10e8888abcd99yyyzzz85a5"\n')
    assert run(*checked).exit_code == 0


def test_a_copy_names_its_schema_which_stands_beside_it(tmp_path: Path) -> None:
    mine = tmp_path / "schema.json"
    run("new", "slack-video", "--folder", str(tmp_path))
    copy = (tmp_path / "slack-video.yaml").read_text().splitlines()
    assert copy[0] == "# yaml-language-server: $schema=schema.json"
    assert copy[1:] == (GALLERY / "slack-video.yaml").read_text().splitlines()[1:]
    assert mine.read_bytes() == schema(CONFIGS)
    mine.write_text(mine.read_text().replace('"slack"', '"slacker"'))
    run("new", "zapier", "--folder", str(tmp_path))
    assert mine.read_bytes() == schema(CONFIGS), "brought up to date"
    mine.write_text('{"title": "somebody else\'s"}')
    run("new", "make", "--folder", str(tmp_path))
    assert mine.read_text() == '{"title": "somebody else\'s"}'


def test_recipes_are_listed_with_when_and_what() -> None:
    output = run("list", str(GALLERY)).output
    assert "Save every file: on task.succeeded: save (folder) → tell (http)" in output
    assert "Weekly call: on 0 9 * * mon (Europe/Berlin): call (http)" in output


@pytest.mark.parametrize("path", sorted(GALLERY.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_of_the_gallery_can_be_previewed(path: Path) -> None:
    shown = run("preview", str(path))
    assert shown.exit_code == 0, shown.output
    assert '"matches": true' in shown.output


def test_a_preview_of_a_task_that_is_not_there_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEATRELAY_DATA", str(tmp_path))
    result = run("preview", str(GALLERY / "zapier.yaml"), "--task", "task_x", "--config", str(tmp_path / "none.toml"))
    assert result.exit_code == 1
    assert "there is no journal at" in result.output


class TestSchema:
    def test_a_file_that_is_not_what_the_structs_say_is_told(self, tmp_path: Path) -> None:
        """`make check` asks this of recipes/schema.json."""
        mine = tmp_path / "schema.json"
        assert run("schema", "--check", str(mine)).exit_code == 1
        mine.write_text(run("schema").output)
        assert run("schema", "--check", str(mine)).output == f"{mine} is up to date\n"
        mine.write_text(mine.read_text().replace('"slack"', '"slacker"', 1))
        assert "is out of date; run `beatrelay recipes schema >" in run("schema", "--check", str(mine)).output

    @pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
    def test_every_shipped_recipe_fits_the_schema_that_it_names(self, path: Path) -> None:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        named = path.parent / first.removeprefix("# yaml-language-server: $schema=")
        validator = Draft202012Validator(json.loads(named.read_bytes()))
        assert [error.message for error in validator.iter_errors(read(path.read_text(), str(path)).data)] == []

    @pytest.mark.parametrize(
        ("wrong", "where"),
        [
            ({"on": "task.succeded"}, ["on"]),
            ({"on": {"schedul": "0 9 * * mon"}}, ["on"]),
            ({"steps": {"a": {"use": "htp"}}}, ["steps", "a", "use"]),
            ({"steps": {"a": {"use": "slack", "with": {"txt": "x"}}}}, ["steps", "a", "with"]),
            ({"match": {"tag": "x"}}, ["match"]),
        ],
    )
    def test_an_editor_sees_what_is_wrong(self, wrong: dict[str, Any], where: list[str]) -> None:
        validator = Draft202012Validator(json.loads(schema(CONFIGS)))
        good = {"name": "x", "on": "task.succeeded", "steps": {"a": {"use": "http"}}}
        assert list(validator.iter_errors(good)) == []
        assert where in [list(error.path) for error in validator.iter_errors({**good, **wrong})]

    def test_it_knows_what_can_be_said(self) -> None:
        parts: dict[str, Any] = json.loads(schema(CONFIGS))["$defs"]
        assert set(parts["Recipe"]["required"]) == {"name", "on", "steps"}
        assert not {"source", "hash", "file"} & set(parts["Recipe"]["properties"])
        assert "with" in parts["Step"]["properties"]
        assert parts["Recipe"]["additionalProperties"] is False
