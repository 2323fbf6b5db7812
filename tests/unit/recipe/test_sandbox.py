"""Templates made up of what escapes are made of: refused or plain data, in bounded time, and nothing is changed."""

import copy
import json
import re
import time
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.recipe import RecipeErrors, RenderError
from relay.recipe.environment import TemplateEnvironment
from relay.recipe.reach import sample

from .test_render import fill

SECONDS = 3.0
"""Processor time of one template: one second to render, and what compiling it takes."""
PYTHON = re.compile(r"<class '|<(function|method|bound|built-in|module|generator|code|frame)|object at 0x|Undefined\b")
"""What only shows when Python's own things come out."""

FILTERS = sorted(name for name in TemplateEnvironment().filters if not name.startswith(" "))
TESTS = sorted(TemplateEnvironment().tests)
DUNDERS = (
    *("__class__", "__mro__", "__base__", "__bases__", "__subclasses__", "__init__", "__globals__", "__builtins__"),
    *(
        "__dict__",
        "__getattribute__",
        "__reduce__",
        "__self__",
        "__func__",
        "__code__",
        "__call__",
        "__doc__",
        "__import__",
    ),
    *("gi_frame", "f_globals", "f_back", "cr_frame", "tb_frame", "mro", "func_globals", "_TemplateReference__context"),
)
ORDINARY = (
    *("id", "url", "items", "keys", "get", "pop", "upper", "split", "format", "join", "strip", "title", "encode"),
    *("append", "copy", "index", "count", "real", "length", "update", "cycle", "first", "nope", "center", "splitlines"),
)
NAMES = (
    "task",
    "row",
    "media",
    "event",
    "steps",
    "vars",
    "loop",
    "range",
    "self",
    "boom",
    "lipsum",
    "cycler",
    "dict",
    "a",
)

LITERALS = (
    *(
        "1",
        "0",
        "-7",
        "2.5",
        "10**9",
        "1e300",
        "'x'",
        "''",
        "'%s'",
        "'{0.__class__}'",
        "'ab,c'",
        "true",
        "none",
        "[]",
        "{}",
    ),
    *(f"'{name}'" for name in DUNDERS),
)
OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "in", "and", "or")
SHAPES = (
    "({0}).{name}",
    "({0})[{1}]",
    "({0})[{1}:]",
    "({0}).{name}({1})",
    "({0})({1})",
    "({0})|{filter}",
    "({0})|{filter}({1})",
    "({0})|{filter}({1}, {2})",
    "({0})|{filter}(attribute='{name}')",
    "({0}) is {test}({1})",
    "({0}) {operator} ({1})",
    "[{0}, {1}]",
    "{{{0}: {1}}}",
    "({0} if {1} else {2})",
)
TEMPLATES = (
    "{{ %s }}",
    "x{{ %s }}",
    "{%% for a in %s %%}{{ %s }}{%% endfor %%}x",
    "{%% set a = %s %%}{{ %s }}x",
    "{%% if %s %%}{{ %s }}{%% endif %%}x",
)


def expression(chance: Random, depth: int = 0) -> str:
    """Any expression, a few levels deep."""
    if depth >= 4 or chance.random() < 0.25:
        return chance.choice([*LITERALS, *NAMES, *NAMES, *NAMES])
    inner = [expression(chance, depth + 1) for _ in range(3)]
    return chance.choice(SHAPES).format(
        *inner,
        name=chance.choice([*ORDINARY, *DUNDERS]),
        filter=chance.choice(FILTERS),
        test=chance.choice(TESTS),
        operator=chance.choice(OPERATORS),
    )


def made_up(chance: Random) -> str:
    template = chance.choice(TEMPLATES)
    return template % tuple(expression(chance) for _ in range(template.count("%s")))


def written(value: Any) -> str:
    """What would be sent; fails for anything but plain data."""

    def number(it: Any) -> Any:
        assert isinstance(it, Decimal), type(it)
        return str(it)

    return json.dumps(value, default=number)


@given(st.integers(0, 2**64))
@settings(max_examples=3000, deadline=None, derandomize=True)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")  # of the code that Jinja makes of `1[0]`
def test_a_template_is_refused_or_gives_plain_data_and_changes_nothing(seed: int) -> None:
    template = made_up(Random(seed))
    context = sample()
    before, started = copy.deepcopy(context), time.process_time()
    try:
        said = written(fill(template, **context))
    except (RenderError, RecipeErrors):
        said = ""
    assert not PYTHON.search(said), (template, said[:300])
    assert context == before, template
    assert time.process_time() - started < SECONDS, template


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'x'.upper }}x",
        "{{ ['x'.upper] }}x",
        "{{ 'x'.upper ~ '' }}",
        "{{ ['x'.upper] | string }}",
        "{{ {'a': 'x'.strip} | string }}",
        "{% for a in [1] %}{{ loop }}{% endfor %}",
        "{% for a in [1] %}{{ [loop] | string }}{% endfor %}",
        "{{ [row.titel] }}x",
        "{{ {'a': boom} }}x",
        "{{ [boom] ~ 'x' }}",
        "{{ [boom] | string }}",
    ],
)
def test_what_is_no_data_is_never_written_out(template: str) -> None:
    with pytest.raises(RenderError):
        fill(template)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{% for a in [1] %}" * 21 + "{% endfor %}" * 21, "nested too deeply"),
        ("{% if a %}" * 120 + "{% endif %}" * 120, "nested too deeply"),
        ("{{ row | default(a=1, a=2) }}", "keyword argument repeated: a"),
        ("{{ {{}: 1} }}", "unhashable type: 'dict'"),
    ],
)
def test_what_python_would_not_compile_is_refused(template: str, says: str) -> None:
    with pytest.raises((RecipeErrors, RenderError), match=says):
        fill(template)


@pytest.mark.parametrize(
    "template", ["{{ media | dictsort }}", "{{ 1 | first }}", "{{ [1] | map(attribute=2) | sort('x') }}"]
)
def test_whatever_a_filter_raises_is_said_of_the_template(template: str) -> None:
    with pytest.raises(RenderError, match=r"^r\.yaml:1: steps\.a\.with\.value"):
        fill(template)


@pytest.mark.parametrize(
    ("template", "gives"),
    [
        ("{{ [1, 2] | reverse }}x", "[2, 1]x"),
        ("{{ 'ab' | reverse }}", "ba"),
        ("{{ {'a': 1} | items }}", [["a", 1]]),
        ("{{ {'a': 1} | items | list }}x", "[('a', 1)]x"),
        ("{{ [row.nope, row.artist] | map('default', '-') | join(' ') }}", "- Neon Tide"),
        ("{{ [row.nope, row.artist] | select('defined') | list }}", ["Neon Tide"]),
        ("{{ range(3) | list }}", [0, 1, 2]),
        ("{% for n in range(3) %}{{ n }}{% endfor %}", "012"),
        (
            "{% for key, value in row | items %}{{ key }}={{ value }};{% endfor %}",
            "artist=Neon Tide;title=Rooftop Season;",
        ),
        ("{{ 'x'.upper() }}x", "Xx"),
    ],
)
def test_what_is_harmless_goes_on(template: str, gives: Any) -> None:
    assert fill(template) == gives
