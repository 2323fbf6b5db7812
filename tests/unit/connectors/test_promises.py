"""What the docs promise of each connector is what its class says, and a relay killed a hundred times has shown it."""

import ast
import importlib
import inspect
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CONNECTORS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][
    "beatrelay.connectors"
]
PROMISES = ("once", "once, but for one gap", "once with a bot token; at least once", "at least once")
"""As the table writes them, and the classes begin."""


def table() -> dict[str, list[str]]:
    """The table of guarantees: what it says of each connector."""
    text = (ROOT / "docs/reference/connectors.md").read_text().partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| [")
    ]
    return {re.findall(r"`(\w+)`", row[0])[0]: row for row in rows}


def test_every_connector_stands_in_the_table() -> None:
    assert table().keys() == CONNECTORS.keys()


@pytest.mark.parametrize("name", CONNECTORS)
def test_the_class_promises_what_the_table_says(name: str) -> None:
    module, _, kind = CONNECTORS[name].partition(":")
    said = (inspect.getdoc(getattr(importlib.import_module(module), kind)) or "").lower()
    (*_, guarantee, how, double) = table()[name]
    promise = max((one for one in PROMISES if guarantee.startswith(one)), key=len)
    assert said.startswith(promise)
    assert how, "how a repeat is told"
    assert double, "where it can still be double"


@pytest.mark.parametrize("name", CONNECTORS)
def test_it_was_killed_a_hundred_times(name: str) -> None:
    files = [file for file in (ROOT / "tests/integration").glob("test_*.py") if _kills(file, CONNECTORS[name])]
    assert files, f"no test kills a relay that delivers by {name}"
    assert any("range(100)" in file.read_text() or "range(block, 100, 4)" in file.read_text() for file in files)


def _kills(file: Path, connector: str) -> bool:
    """Whether a test there makes a ``Case`` of the connector, or of a class of its own that is one."""
    text = file.read_text()
    if "killed(" not in text:
        return False
    own = [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    kind = connector.partition(":")[2]
    return f'Case("{connector}"' in text or any(re.search(rf"class {name}\({kind}\)", text) for name in own)
