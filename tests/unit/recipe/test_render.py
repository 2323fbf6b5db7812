"""Filling templates in: types are kept, and nobody escapes or spends what is not theirs."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.recipe import Recipe, RecipeErrors, Renderer, RenderError, parse
from relay.recipe.reach import sample


def recipe(template: Any, **more: Any) -> Recipe:
    document = {
        "name": "x",
        "on": "task.succeeded",
        "steps": {"a": {"use": "http", "with": {"value": template}}},
        **more,
    }
    return parse(json.dumps(document, ensure_ascii=False), "r.yaml")


def fill(template: Any, **context: Any) -> Any:
    made = recipe(template)
    return Renderer().render(made, made.steps["a"], {**sample(), **context})["value"]


def test_a_template_sees_nothing_of_the_one_before_it() -> None:
    made = recipe(
        ["{{ 1 + 1 }}", "{% set left = 3 %}{{ left }}", "{{ alone is defined }} {{ left is defined }}", "{{ alone }}"]
    )
    with pytest.raises(RenderError, match="'alone' is not there"):
        Renderer().render(made, made.steps["a"], sample())
    made = recipe(["{{ 1 + 1 }}", "{% set left = 3 %}{{ left }}", "{{ alone is defined or left is defined }}"])
    assert Renderer().render(made, made.steps["a"], sample())["value"] == [2, "3", False]


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ task.usage.credits_charged }}", 75),
        ("{{ task.usage.credits_charged }} credits", "75 credits"),
        ("{{ media }}", sample()["media"]),
        ("{{ media[0].size > 1000 }}", True),
        ("{{ task.error_code }}", None),
        ("{{ [1, 'a', none] }}", [1, "a", None]),
        ("{{ {'a': 1} }}", {"a": 1}),
        ("{{- task.status -}}", "succeeded"),
        ("{{ row.artist }} - {{ row.title }}", "Neon Tide - Rooftop Season"),
        ("{% if row.artist == 'x' %}a{% else %}b{% endif %}", "b"),
        ("{% for m in media %}{{ m.name }};{% endfor %}", "task_01k9sample0000000000000000.mp4;"),
        ("{{ row['artist'] ~ 1 ~ '!' }}", "Neon Tide1!"),
        ("{{ row.nothing | default('none') }}", "none"),
        ("{{ 'a,b'.split(',') | join('-') }}", "a-b"),
        (7, 7),
        ({"a": ["{{ 1 + 1 }}", "x"]}, {"a": [2, "x"]}),
        ("{{ task.created_at | date('%Y/%m') }}", "2026/07"),
        ("{{ task.created_at | date('%H:%M', 'Asia/Tokyo') }}", "17:00"),
        ("{{ 'Rooftop Season (Live)' | slugify }}", "rooftop-season-live"),
        ("{{ media[0].size | filesize }}", "12.3 MB"),
        ("{{ 185 | duration }} {{ 3723 | duration }}", "3:05 1:02:03"),
        ("{{ row | json }}", '{"artist": "Neon Tide", "title": "Rooftop Season"}'),
        ("{{ '<a & b>' | slack }}", "&lt;a &amp; b&gt;"),
        ("{{ 'a/b: c?.mp4' | filename }}", "a_b_ c_.mp4"),
        ("{{ 'con.mp4' | filename }}", "_con.mp4"),
        ("{{ '../../etc/passwd' | filename }}", "_.._etc_passwd"),
        ("{{ 'Ünïcödé 歌.mp4' | filename }}", "Ünïcödé 歌.mp4"),
    ],
)
def test_templates_give_what_they_say(template: Any, value: Any) -> None:
    assert fill(template) == value


def test_prices_stay_exact() -> None:
    assert fill("{{ row.price }}", row={"price": Decimal("1.10")}) == Decimal("1.10")
    assert fill("{{ row.price }}!", row={"price": Decimal("1.10")}) == "1.10!"


def test_the_data_comes_before_any_method() -> None:
    assert fill("{{ row.items }} {{ row.keys }}", row={"items": "3 songs", "keys": "C minor"}) == "3 songs C minor"


def test_vars_are_filled_first() -> None:
    made = recipe("{{ vars.where }}/{{ vars.list[1] }}", vars={"where": "{{ row.artist | slugify }}", "list": [1, 2]})
    assert Renderer().render(made, made.steps["a"], sample()) == {"value": "neon-tide/2"}


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        (True, True),
        (False, False),
        ("{{ task.workflow == 'music-video' }}", True),
        ("{{ task.workflow == 'other' }}", False),
        ("{{ row.artist }}", True),
        ("{{ row.missing | default('') }}", False),
        ("false", False),
        ("{% if false %}x{% endif %}", False),
    ],
)
def test_when(when: Any, holds: bool) -> None:
    assert Renderer().matches(recipe("x", when=when), sample()) is holds
    assert Renderer().matches(recipe("x", when=when, enabled=False), sample()) is False


def test_an_error_names_place_expression_reach_and_what_was_meant() -> None:
    with pytest.raises(RenderError) as caught:
        fill("https://x/{{ task.titel }}")
    message = str(caught.value)
    assert message.startswith("r.yaml:1: steps.a.with.value ('https://x/{{ task.titel }}'): 'titel' is not there;")
    assert "in reach: approval_url, completed_at, created_at" in message
    with pytest.raises(RenderError, match=r"did you mean 'artist'\?"):
        fill("{{ row.artits }}")


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''['__class__'] }}",
        "{{ [].__class__.__base__ }}",
        "{{ (1).__class__ }}",
        "{{ task.__class__ }}",
        "{{ range.__globals__ }}",
        "{{ range.__call__.__self__ }}",
        "{{ self }}x",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ lipsum.__globals__ }}",
        "{{ joiner }}",
        "{{ namespace() }}",
        "{{ dict() }}",
        "{{ ''|attr('__class__') }}",
        "{{ [1]|map(attribute='__class__')|list }}",
        "{{ [1]|map('attr', '__class__')|list }}",
        "{{ [{}, {}]|sort(attribute='__class__') }}",
        "{{ [[]]|sum(attribute='__class__') }}",
        "{{ [''] | selectattr('__class__') | list | first | attr('x') }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ '{0.__class__}'.format_map({}) }}",
        "{{ '%s'|format(1) }}",
        "{{ 'x'.encode() }}",
        "{{ row.update({'a': 1}) }}",
        "{{ media.append(1) }}",
        "{% import 'os' as os %}",
        "{% include '/etc/passwd' %}",
        "{% extends 'x' %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set ns = namespace(a=1) %}",
        "{% call x() %}{% endcall %}",
        "{% block a %}{% endblock %}",
        "{% filter upper %}a{% endfilter %}",
        "{% for a in [[[1]]] recursive %}{{ loop(a) }}{% endfor %}",
        "{{ env }}{{ os }}{{ secrets }}{{ connection }}",
        "{{ ().__class__ }}",
        "{{ (task|string).__class__ }}",
        "{{ none.__class__ }}",
        "{{ undefined_name.anything }}",
        "{% set x %}{{ task }}{% endset %}",
    ],
)
def test_known_escapes_are_refused(template: str) -> None:
    with pytest.raises((RenderError, RecipeErrors)):
        fill(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 10**9 }}",
        "{{ ['a'] * 10**8 }}",
        "{{ 10**9 * 'a' }}",
        "{{ 9**9**9 }}",
        "{{ 10**10**10 }}",
        "{% set a = 10**18 %}{{ a * a * a * a }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 'a'.center(10**9) }}",
        "{{ 'a'.ljust(10**9) }}",
        "{{ 'a'.zfill(10**9) }}",
        "{{ 'a'|center(10**9) }}",
        "{{ 'a'|indent(10**9) }}",
        "{{ 'aaaaaaaa'|replace('a', 'b' * 100000)|replace('b', 'c' * 100000) }}",
        "{% set a = 'x' * 60000 %}{% set b = a ~ a ~ a ~ a %}{% set c = b ~ b ~ b ~ b %}{{ c }}",
        "{% set a = 'x' * 200000 %}{{ a + a }}",
        "{{ range(10**9) | list }}",
        "{% for a in range(999) %}{% for b in range(999) %}{% for c in range(9) %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in range(900) %}{{ 'x' * 1000 }}{% endfor %}",
        "{{ range(1000) | map('string') | join('x' * 1000) }}",
        "{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}",
        "{{ 'x' " + "~ 'x' " * 20000 + "}}",
        "x" * 300_000,
    ],
)
def test_nobody_spends_the_relays_memory_or_time(template: str) -> None:
    started = time.process_time()
    try:
        with pytest.raises((RenderError, RecipeErrors)):
            fill(template)
    finally:
        assert time.process_time() - started < 5, "refused, but only after long work"


@given(st.text(alphabet=st.characters(exclude_characters="{", categories=["L", "N", "P", "S", "Zs"]), max_size=200))
def test_text_without_braces_is_itself(text: str) -> None:
    assert fill(text) == text
