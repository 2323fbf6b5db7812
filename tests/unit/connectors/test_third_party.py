"""A connector in a package of somebody else's: built, installed, found by its entry point, checked and used."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "tests" / "third_party"
RECIPE = """\
name: Shout
on: task.succeeded
steps:
  loud: { use: shout, connection: wall, with: { text: "{{ row.title }} is ready" } }
"""
DELIVER = """\
import asyncio, sys
from connectors import discover
from connectors.base import Delivery

found, problems = discover()
assert not problems, problems
shout = found["shout"]
there = {"file": sys.argv[1]}
delivery = Delivery("dlv_1", 1, 0, {}, there, http=None, notes=None, task_notes=None)
for _ in range(2):
    asyncio.run(shout.deliver(shout.Config(text="neon is ready"), delivery))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the package's wheel was installed into."""
    folder = tmp_path_factory.mktemp("third-party")
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(folder)], cwd=PACKAGE, check=True, capture_output=True, text=True
    )
    wheel = folder / done.stdout.splitlines()[-1]
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)])}
    return subprocess.run([sys.executable, *words], cwd=folder, env=environ, capture_output=True, text=True)


def test_it_is_found_and_delivers_once(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "-c", DELIVER, str(tmp_path / "wall"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "wall").read_text() == "dlv_1 NEON IS READY\n"


def test_recipes_that_use_it_are_checked_like_any(installed: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "shout.yaml"
    recipe.write_text(RECIPE)
    fine = run(installed, tmp_path, "-m", "relay.cli", "recipes", "check", "shout.yaml")
    assert fine.returncode == 0, fine.stdout + fine.stderr
    recipe.write_text(RECIPE.replace("text:", "txt:"))
    wrong = run(installed, tmp_path, "-m", "relay.cli", "recipes", "check", "shout.yaml")
    assert wrong.returncode == 1
    assert "did you mean 'text'" in wrong.stderr


def test_its_connections_are_typed_like_any(installed: Path, tmp_path: Path) -> None:
    refused = run(
        installed, tmp_path, "-m", "relay.cli", "connections", "add", "wall", "shout", "file=/x", "password=loud"
    )
    assert refused.returncode == 2
    assert "'password' is a secret" in refused.stderr


def test_without_the_package_nothing_of_it_is_there(tmp_path: Path) -> None:
    missing = "from connectors import discover; assert 'shout' not in discover()[0]"
    assert run(ROOT, tmp_path, "-c", missing).returncode == 0
