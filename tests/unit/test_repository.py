"""What holds for the repository as a whole: no reader and no reviewer has to look for it."""

import ast
import contextlib
import importlib.metadata
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import relay
from relay.cli import main
from relay.settings_table import SETTINGS

ROOT = Path(__file__).parents[2]
NOT_OURS = {".git", ".venv", "__pycache__", "beatrelay-data", "build", "dist", ".pytest_cache", ".ruff_cache"}
LONGEST = 400
"""Lines of a file; past that it has more than one subject."""


@cache
def our_files() -> tuple[Path, ...]:
    """What git knows or would take in; outside of a work tree (an unpacked sdist), all there is."""
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        known = subprocess.run(listing, capture_output=True, check=True).stdout.decode().split("\0")
        files = [ROOT / name for name in known if name]
    except (subprocess.CalledProcessError, FileNotFoundError):
        files = [path for path in ROOT.rglob("*") if not NOT_OURS.intersection(path.relative_to(ROOT).parts)]
    return tuple(sorted(path for path in files if path.is_file()))


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def texts() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for path in our_files():
        try:
            found.append((named(path), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue  # a picture or a video
    return found


def sources(*folders: str) -> list[Path]:
    return [path for path in our_files() if path.suffix == ".py" and named(path).split("/")[0] in folders]


@cache
def project() -> dict[str, Any]:
    document: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return document


def declared(*extras: str) -> list[Requirement]:
    """The relay's own requirements, and those of extras."""
    optional = project()["optional-dependencies"]
    groups = [project()["dependencies"], *(optional[extra] for extra in extras)]
    return [Requirement(line) for group in groups for line in group]


def names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    pinned = [Requirement(line.rstrip("\\ ")) for line in lines if "==" in line]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pinned}


ALL_EXTRAS = tuple(project()["optional-dependencies"])
FOR_USERS = tuple(extra for extra in ALL_EXTRAS if extra != "dev")

# ------------------------------------------------------------------------------------------- what a clone must not name

# Written in pieces, so that this file names none of them either.
INDEX_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
        ("registry", "yarnpkg", "com"),
        ("static", "crates", "io"),
    )
]
MACHINE_PATHS = re.compile(r"(?<![\w./-])/(?:work|home|root|Users)/\w")


def test_no_file_names_a_package_index() -> None:
    assert [(name, host) for name, text in texts() for host in INDEX_HOSTS if host in text] == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert [(name, found[0]) for name, text in texts() if (found := MACHINE_PATHS.search(text))] == []


# --------------------------------------------------------------------------------------------------- versions and pins


def test_the_package_says_the_version_it_was_built_as() -> None:
    assert relay.__version__ == project()["version"] == importlib.metadata.version("beatrelay")


def test_every_dependency_has_its_line_of_reason() -> None:
    reasons = (ROOT / "docs/decisions/0001-dependencies.md").read_text()
    explained = {canonicalize_name(name) for name in re.findall(r"^\| ([\w.-]+) \|", reasons, re.MULTILINE)}
    explained.remove("package")  # the heading of the tables
    assert explained == names(declared(*ALL_EXTRAS)), "docs/decisions/0001-dependencies.md has one line for each"


@pytest.mark.parametrize("name", ["runtime", "demo", "dev", "build", "ci"])
def test_a_requirement_set_holds_nothing_but_pins_and_hashes(name: str) -> None:
    pin = r"[a-z0-9-]+==[\w.!+-]+( ; [^/:]+)?( \\)?"
    hash_of_a_file = r"    --hash=sha256:[0-9a-f]{64}( \\)?"
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    assert lines
    assert [line for line in lines if not re.fullmatch(f"{pin}|{hash_of_a_file}", line)] == []
    assert [
        first for first, second in zip(lines, [*lines[1:], ""], strict=True) if "==" in first and "--hash" not in second
    ] == []


@pytest.mark.parametrize(("smaller", "larger"), [("runtime", "demo"), ("demo", "dev"), ("build", "demo")])
def test_a_larger_set_holds_the_smaller_at_the_same_versions(smaller: str, larger: str) -> None:
    assert pins(smaller).items() <= pins(larger).items()


@pytest.mark.parametrize(("name", "extras"), [("runtime", ()), ("demo", ("sandbox",)), ("dev", ALL_EXTRAS)])
def test_the_pins_are_what_the_project_asks_for(name: str, extras: tuple[str, ...]) -> None:
    pinned = pins(name)
    for requirement in declared(*extras):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in requirements/{name}.txt: make lock"
        assert requirement.specifier.contains(version), f"{requirement} against {version}: make lock"


def test_the_code_imports_only_what_users_get_installed() -> None:
    allowed = {*pins("runtime"), *names(declared(*FOR_USERS))}
    owners = importlib.metadata.packages_distributions()
    astray = {
        f"{named(path)} imports {module}"
        for path in sources("relay", "connectors")
        for module in imported(path) - sys.stdlib_module_names - {"relay", "connectors"}
        if not allowed.intersection(canonicalize_name(owner) for owner in owners.get(module, []))
    }
    assert astray == set()


def imported(path: Path) -> set[str]:
    """Top-level names of all absolute imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


# -------------------------------------------------------------------------------------------------------- shape of code


def test_no_file_has_outgrown_its_subject() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in sources("relay", "connectors")}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def test_no_file_is_a_drawer_for_anything() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [named(path) for path in sources("relay", "connectors") if drawers & {path.stem, path.parent.name}] == []


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    here = named(Path(__file__))
    assert [name for name, text in texts() if name != here and not name.endswith(".md") and later.search(text)] == []


def test_every_silenced_rule_says_why() -> None:
    silent = re.compile(r"#\s*(?:noqa(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?|type:\s*ignore(?:\[[\w, -]+\])?)\s*$")
    astray = [
        f"{named(path)}:{number}"
        for path in sources("relay", "connectors", "requirements", ".ci")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if silent.search(line)
    ]
    assert astray == []


def test_every_skip_says_what_is_missing() -> None:
    assert [where for path in sources("tests") for where in skips_without_reason(path)] == []


def skips_without_reason(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    reasoned = {call.func for call in ast.walk(tree) if isinstance(call, ast.Call) and has_reason(call)}
    return [
        f"{named(path)}:{node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("skip", "skipif", "xfail", "importorskip")
        and ast.unparse(node).startswith("pytest.")
        and node not in reasoned
    ]


def has_reason(call: ast.Call) -> bool:
    plain = isinstance(call.func, ast.Attribute) and call.func.attr == "skip" and bool(call.args)
    return plain or any(keyword.arg == "reason" for keyword in call.keywords)


# ------------------------------------------------------------------------------------------------------ the container


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return document


@pytest.mark.parametrize("service", ["relay", "sandbox"])
def test_a_container_has_no_rights_that_it_does_not_need(service: str) -> None:
    walls = compose()[service]
    assert walls["read_only"] is True
    assert walls["cap_drop"] == ["ALL"]
    assert walls["security_opt"] == ["no-new-privileges:true"]


def test_compose_and_dockerfile_set_only_what_can_be_set() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    given = {*compose()["relay"]["environment"], *re.findall(r"\b(BEATRELAY_\w+)=", dockerfile)}
    assert given <= {setting.env for setting in SETTINGS}


def test_compose_starts_commands_that_exist() -> None:
    for service in compose().values():
        name, *arguments = service["command"]
        command = main.commands[name]
        options = {option for parameter in command.params for option in parameter.opts}
        assert isinstance(command, click.Command)
        assert {argument.split("=")[0] for argument in arguments if argument.startswith("--")} <= options


def test_the_examples_variables_are_those_of_compose() -> None:
    example = set(re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert example == set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    for name, child in command.commands.items() if isinstance(command, click.Group) else ():
        yield from commands(child, (*path, name))


@pytest.mark.parametrize("path", [pytest.param(path, id=" ".join(path)) for path, _ in commands(main) if path])
def test_every_command_shows_examples_that_it_takes(path: tuple[str, ...], tmp_path: Path) -> None:
    """They stand in relay/commands/examples.py."""
    text = CliRunner().invoke(main, [*path, "--help"], env={"COLUMNS": "100"}).output
    _, found, block = text.partition("\n  Examples:\n")
    examples = re.findall(r"    # (.+)\n    (.*\bbeatrelay .+)\n", block)
    assert found, f"`beatrelay {' '.join(path)} --help` has no examples"
    assert 1 <= len(examples) <= 2
    for _, example in examples:
        words = shlex.split(example)
        words = words[words.index("beatrelay") + 1 :]
        assert tuple(words[: len(path)]) == path
        parse(words, tmp_path)


def parse(words: list[str], folder: Path) -> None:
    """Read a command line as the commands themselves would, and run nothing."""
    command: click.Command = main
    context: click.Context | None = None
    with contextlib.chdir(folder):
        for word in words:
            if Path(word).suffix in (".csv", ".xlsx", ".yaml"):  # what must be there for the line to be taken
                Path(word).parent.mkdir(exist_ok=True)
                Path(word).touch()
        Path("recipes").mkdir(exist_ok=True)
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        context = command.make_context(command.name, words)
    assert not context.args


def test_decisions_are_numbered_once_and_named_by_their_number() -> None:
    files = sorted((ROOT / "docs/decisions").glob("*.md"))
    numbers = [int(file.name[:4]) for file in files]
    assert len(set(numbers)) == len(numbers)
    assert [file.name for file in files if not file.read_text().startswith(f"# {int(file.name[:4])}. ")] == []
