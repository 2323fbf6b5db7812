"""What the documents say of recipes is what the code does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from connectors import discover
from relay.cli import main
from relay.recipe import (
    Preview,
    Recipe,
    Renderer,
    Schedule,
    Step,
    bounded,
    budget,
    check,
    document,
    environment,
    parse,
    render,
)
from relay.recipe import preview as previewed
from relay.recipe.environment import TemplateEnvironment
from relay.recipe.filters import FILTERS
from relay.recipe.model import EACH_MEDIA, EVENTS, SCHEDULE, Retries
from relay.recipe.reach import FIELDS, MEDIA, OF_EVENT, STEP, sample

CONFIGS = {name: connector.Config for name, connector in discover()[0].items()}
REFERENCE = Path("docs/reference/recipes.md").read_text(encoding="utf-8")
TUTORIAL = Path("docs/tutorial/first-recipe.md")
DOCUMENTS = [Path("README.md"), *sorted(Path("docs").rglob("*.md"))]
BLOCKS = [
    (file, number, text)
    for file in DOCUMENTS
    for number, text in enumerate(
        re.findall(r"^ *```yaml\n(.*?)^ *```", file.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    )
    if re.search(r"^ *on:", text, re.MULTILINE)
]


def section(title: str) -> str:
    return re.split(r"^#{2,3} ", REFERENCE.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of all tables in ``text``, without headings."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row, after in zip(cells, [*cells[1:], []], strict=True) if not _ruler(row) and not _ruler(after)]


def _ruler(row: list[str]) -> bool:
    return bool(row) and set("".join(row)) == {"-"}


def code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@pytest.mark.parametrize(
    ("file", "number", "text"), BLOCKS, ids=[f"{file.stem}-{number}" for file, number, _ in BLOCKS]
)
def test_each_recipe_in_the_documents_is_fine_and_makes_its_calls(file: Path, number: int, text: str) -> None:
    indent = len(text) - len(text.lstrip(" "))
    plain = "".join(line[indent:] if line.strip() else line for line in text.splitlines(keepends=True))
    recipe = parse(plain, f"{file}#{number}")
    assert check(recipe, CONFIGS) == []
    for event in recipe.on:
        shown: Preview = previewed(recipe, sample(event), CONFIGS, sample=True)
        assert (shown.matches, shown.errors) == (True, [])


def test_the_tutorial_has_its_examples() -> None:
    assert len([file for file, _, _ in BLOCKS if file == TUTORIAL]) >= 6
    assert "docs/tutorial/first-recipe.md" in Path("README.md").read_text("utf-8")


class TestReference:
    def test_the_filters_are_all_there_and_give_what_it_says(self) -> None:
        listed = {code(row[0])[0]: (code(row[2])[0], code(row[3])[0]) for row in rows(section("Filters"))}
        assert set(listed) == set(FILTERS)
        for name, (example, gives) in listed.items():
            step = {"use": "http", "with": {"value": example}}
            recipe = parse(json.dumps({"name": "x", "on": "task.succeeded", "steps": {"a": step}}), "r.yaml")
            assert Renderer().render(recipe, recipe.steps["a"], sample())["value"] == gives, name

    def test_the_filters_of_jinja_are_all_there(self) -> None:
        listed = set(code(section("Filters").partition("Of Jinja's own:")[2]))
        assert listed == {name for name in TemplateEnvironment().filters if not name.startswith(" ")} - set(FILTERS)

    def test_the_methods_of_texts_are_all_there(self) -> None:
        named = code(section("Templates").partition("Texts have")[2].partition(". A `when:`")[0])
        assert set(named) == environment.METHODS

    def test_the_events_and_what_each_brings(self) -> None:
        events = {code(row[0])[0]: set(code(row[2])) for row in rows(section("Events")) if len(row) == 3}
        assert list(events) == [*EVENTS, SCHEDULE]
        assert events == {name: set(brought) for name, brought in OF_EVENT.items()}

    def test_the_variables_and_their_fields(self) -> None:
        listed = {code(row[0])[0]: row[1] for row in rows(section("Events")) if len(row) == 2}
        known: dict[str, Any] = {**FIELDS, "media": MEDIA, "steps.NAME": STEP}
        assert set(listed) == {*known, "row"}
        for name in ("event", "media", "steps.NAME", "batch", "delivery", "answer"):
            assert set(known[name]) == set(code(listed[name])) - {"success_when"}, name
        assert {word for word in code(listed["task"]) if word.isidentifier()} < set(known["task"])

    def test_every_key_is_explained(self) -> None:
        keys = {code(row[0])[0] for row in rows(section("At the top"))}
        assert keys == set(Recipe.__struct_encode_fields__) - {"file", "source", "hash", "schedule"}
        keys = {code(row[0])[0] for row in rows(section("A step"))}
        retry = {f"retry.{name}" for name in Retries.__struct_encode_fields__}
        assert keys == (set(Step.__struct_encode_fields__) - {"retry"}) | retry
        assert EACH_MEDIA in section("A step")
        assert all(f"{name}:" in section("Events") for name in Schedule.__struct_encode_fields__)

    def test_the_limits(self) -> None:
        listed = {row[0].replace("`", ""): row[1] for row in rows(section("Limits"))}
        assert listed == {
            "a recipe": f"{document.MOST_BYTES} characters, {document.MOST_NODES} values",
            "one template": f"{environment.SOURCE_MOST} characters",
            "what one template gives": f"{environment.OUTPUT_MOST} characters",
            "what all templates of a step give": f"{render.STEP_MOST} characters",
            "turns of all loops of a step": str(budget.TURNS_MOST),
            "characters that a step's filters and operators work on": str(budget.WEIGHT_MOST),
            "processor time of a step": f"{budget.SECONDS_MOST:g} s",
            "numbers of one range": str(environment.RANGE_MOST),
            "an argument that filters and methods look for": f"{bounded.ARGUMENT_MOST} characters",
        }

    def test_the_commands(self) -> None:
        listed = {code(row[0])[0].split()[2] for row in rows(section("Commands")) if "recipes" in row[0]}
        group: Any = main.commands["recipes"]
        assert listed == set(group.commands)
