"""The paths that the documents show: rendered as they say, written there, and never outside of the root."""

import json
import re
from pathlib import Path

import httpx
import pytest

from connectors.base import Reject
from connectors.folder import Folder, FolderConfig
from relay.recipe import Renderer, parse
from relay.recipe.reach import sample
from tests.media import Bytes, a_delivery

pytestmark = pytest.mark.anyio
DOCS = Path(__file__).resolve().parents[3] / "docs/reference/connectors.md"
SECTION = DOCS.read_text("utf-8").partition("\n## folder")[2].partition("\n## ")[0]
EXAMPLES = [
    (path.replace("\\|", "|"), gives)
    for path, gives in re.findall(r"^\| `(\{\{.*)` \| `(.*)` \|$", SECTION, re.MULTILINE)
]
VIDEO = Bytes(b"\0\0\0\x18ftypmp42" * 100)


def rendered(path: str, **row: str) -> str:
    document = {"name": "Paths", "on": "task.succeeded", "steps": {"keep": {"use": "folder", "with": {"path": path}}}}
    recipe = parse(json.dumps(document), "paths.yaml")
    return Renderer().render(recipe, recipe.steps["keep"], {**sample(), "row": row})["path"]


async def keep(root: Path, path: str) -> Path:
    async with httpx.AsyncClient(trust_env=False) as client:
        delivery = a_delivery(client, {"root": str(root)}, media=VIDEO)
        return Path((await Folder().deliver(FolderConfig(path=path), delivery)).detail["path"])


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize(("path", "gives"), EXAMPLES)
async def test_each_example_makes_the_folders_and_the_file_that_it_says(tmp_path: Path, path: str, gives: str) -> None:
    said = rendered(path, title="Neon/Tide: 2", artist="Mia")
    assert said == gives
    written = await keep(tmp_path / "root", said)
    assert written.relative_to(tmp_path / "root").as_posix() == gives
    assert written.read_bytes() == VIDEO.content


@pytest.mark.parametrize(
    "title", ["../../etc/passwd", "/etc/passwd", "a/../../b", "..", "C:\\x", "nul", "a\0b", "💿" * 200]
)
@pytest.mark.parametrize("path", [path for path, _ in EXAMPLES if "row." in path])
async def test_no_value_leads_out_of_its_folder(tmp_path: Path, path: str, title: str) -> None:
    written = await keep(tmp_path / "root", rendered(path, title=title, artist=title, label=title))
    assert written.resolve().is_relative_to(tmp_path / "root")
    harmless = rendered(path, title="a", artist="a", label="a")
    assert len(written.relative_to(tmp_path / "root").parts) <= len(Path(harmless).parts)


@pytest.mark.parametrize("path", ["{{ row.title }}/v.mp4", "{{ row.title }}.mp4"])
async def test_a_value_without_its_filter_cannot_either(tmp_path: Path, path: str) -> None:
    with pytest.raises(Reject):
        await keep(tmp_path / "root", rendered(path, title="../../outside"))
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
