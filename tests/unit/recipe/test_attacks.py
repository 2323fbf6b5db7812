"""Untrusted templates: known ways out of Jinja, and ways to spend the machine, each within hard limits of its own."""

import json
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
from jinja2.exceptions import SecurityError

from relay.recipe import Recipe, Renderer, RenderError, budget, parse
from relay.recipe.reach import sample

from .test_render import fill

MEMORY_MORE = 120 * 1024 * 1024
"""Bytes that a rendering may take besides what the process has: the largest seen is a third of it."""
SECONDS = 4.0
"""Processor time; a rendering stops itself after one second, and compiling comes on top."""

DOUBLED = "{% set a = ['x','x','x','x','x','x','x','x','x','x'] %}" + "".join(
    f"{{% set {new} = [{','.join([old] * 10)}] %}}" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
"""A list of a hundred million entries that takes no memory until something is done with it."""
TUPLED = DOUBLED.replace("[", "(").replace("]", ")")

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ ''|attr('_'*2 ~ 'class' ~ '_'*2) }}",
    "{{ ''['_' ~ '_class_' ~ '_'] }}",
    "{{ [1]|map(attribute='__class__')|list }}",
    "{{ [1]|map(attribute='__class__.__mro__')|first }}",
    "{{ [1]|map('attr', '__class__')|list }}",
    "{{ [[1]]|map('first')|map('attr', 'real')|list }}",
    "{{ [{}, {}]|sort(attribute='__class__') }}",
    "{{ [{}]|groupby('__class__') }}",
    "{{ [[]]|sum(attribute='__class__') }}",
    "{{ [{}]|unique(attribute='__class__')|list }}",
    "{{ [{}, {}]|max(attribute='__class__') }}",
    "{{ [{}]|join(attribute='__class__') }}",
    "{{ ['']|selectattr('__class__')|list }}{{ boom }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{x.__class__}'.format_map({'x': 1}) }}",
    "{{ ''.format.__self__ }}",
    "{{ ('{0.__class__}'|string).format(1) }}",
    "{{ '%s'|format(task) }}",
    "{{ '%(a)s' % {'a': 1} }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ url_for.__globals__ }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ config.items() }}",
    "{{ request.application.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ self.__init__.__globals__.__builtins__ }}",
    "{{ range.__class__ }}",
    "{{ range.__init__.__globals__ }}",
    "{{ (range(3)).__class__ }}",
    "{{ range(3).__reduce__() }}",
    "{{ task.__class__ }}",
    "{{ task.__init__.__globals__ }}",
    "{{ task.get.__self__ }}",
    "{{ task.keys() }}",
    "{{ row.pop('artist') }}",
    "{{ row.setdefault('x', 1) }}",
    "{{ media.clear() }}",
    "{{ media.sort() }}",
    "{{ (1).__class__.__base__ }}",
    "{{ (1.5).hex() }}",
    "{{ (1).to_bytes(1, 'big') }}",
    "{{ true.__class__ }}",
    "{{ none.__class__ }}",
    "{{ ().__class__.__bases__ }}",
    "{{ {}.__class__ }}",
    "{{ boom.__class__ }}",
    "{{ (boom|default).__class__.__mro__ }}",
    "{{ 'x'.upper.__self__.__class__ }}",
    "{{ 'x'.upper.__func__ }}",
    "{{ 'x'.encode() }}",
    "{{ 'x'.translate({}) }}",
    "{{ 'x'.maketrans('a', 'b') }}",
    "{{ 'x'.join(['a']) }}",
    "{{ 'x'.expandtabs(9) }}",
    "{% import 'os' as os %}{{ os }}",
    "{% from 'os' import path %}",
    "{% include '/etc/passwd' %}",
    "{% include ['a', 'b'] ignore missing %}",
    "{% extends '/etc/passwd' %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}x{% endcall %}",
    "{% block a %}{{ super() }}{% endblock %}",
    "{% filter upper %}a{% endfilter %}",
    "{% set x %}{{ task }}{% endset %}",
    "{% set ns = namespace(a=1) %}{% set ns.a = 2 %}",
    "{% with a = 1 %}{{ a }}{% endwith %}",
    "{% autoescape true %}x{% endautoescape %}",
    "{% do task.clear() %}",
    "{% raw %}{% endraw %}{{ loop }}",
    "{% trans %}x{% endtrans %}",
    "{% debug %}",
    "{% for a in [[[1]]] recursive %}{{ loop(a) }}{% endfor %}",
    "{% for a in [1] %}{{ loop.__class__ }}{% endfor %}",
    "{% for a in [1] %}{{ loop._iterator }}{% endfor %}",
    "{% for a in [1] %}{{ loop.cycle(1) }}{% endfor %}",
    "{% async for a in [1] %}{% endfor %}",
    "{{ await task }}",
    "{{ (lambda: 1)() }}",
    "{{ open('/etc/passwd').read() }}",
    "{{ __import__('os') }}",
    "{{ eval('1') }}",
    "{{ env }}",
    "{{ connection }}",
    "{{ secrets }}",
    "{{ settings.beatapi_api_key }}",
    "{{ 1| turns }}",
    "{{ 1|loop_turns }}",
    "{{ 1|weighed }}",
    "{{ '\\ud800' }}",
    "x{{ '\\udfff' }}",
]

BOMBS = [
    "{{ 'a' * 10**9 }}",
    "{{ 10**9 * 'a' }}",
    "{{ ['a'] * 10**8 }}",
    "{{ [['a' * 200000] * 200000] }}",
    "{{ 9**9**9 }}",
    "{{ 10**10**10 }}",
    "{{ (10**6)**64 * (10**6)**64 }}",
    "{{ 2.5|round(10**9, 'ceil') }}",
    "{{ 2.5|round(-10**9, 'floor') }}",
    "{{ 7|round(10**7) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ 'a'.center(10**9) }}",
    "{{ 'a'.ljust(10**9) }}",
    "{{ 'a'.rjust(10**9) }}",
    "{{ 'a'.zfill(10**9) }}",
    "{{ 'a'|center(10**9) }}",
    "{{ 'a'|indent(10**9) }}",
    "{{ 'a'|wordwrap(1) }}",
    "{{ 1|filesizeformat }}",
    "{{ 'a'|pprint }}",
    "{{ '\t'.expandtabs(10**9) }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ [1,2]|slice(10**9)|list }}",
    "{{ [1,2]|batch(10**9, 0)|list }}",
    "{{ 'aaaaaaaa'|replace('a', 'b' * 100000)|replace('b', 'c' * 100000) }}",
    "{{ ('a' * 200000)|replace('', 'xx') }}",
    "{% set a = 'x' * 60000 %}{% set b = a ~ a ~ a ~ a %}{% set c = b ~ b ~ b ~ b %}{{ c }}",
    "{% set a = 'x' * 200000 %}{{ a + a }}",
    "{% set a = 'x' * 200000 %}{{ [a,a,a,a,a,a,a,a,a,a,a,a] }}",
    "{% set a = 'x' * 200000 %}y{{ [a,a,a,a,a,a,a,a,a,a,a,a] }}",
    "{% set a = ['x'] * 200000 %}{{ [" + "a[:]," * 4000 + "] }}",
    "{% set a = 'é' * 200000 %}{{ a|urlencode }}",
    "{% set a = '\\ufdfa' * 200000 %}{{ (a|slugify) ~ (a|filename) ~ a ~ a }}",
    "{% set a = 'x' * 100000 %}{{ range(1000)|map('replace', '1', a)|list }}",
    "{% set a = ['x' * 1000] * 250 %}{{ a|map('upper')|map('lower')|map('title')|map('trim')|list|map('json')|list }}"
    * 4,
    "{{ range(1000)|map('string')|join('x' * 1000) }}",
    "{% set a = [['x'] * 1000] * 200 %}{{ a|sum(start=[]) }}",
    "{% set a = 'x' * 100000 %}{% set d = {'a': a, 'b': a, 'c': a} %}{{ [d,d,d,d,d,d,d,d]|json }}",
    DOUBLED + "{{ i }}",
    DOUBLED + "x{{ i }}",
    DOUBLED + "{{ i|json }}",
    DOUBLED + "{{ i|string }}",
    DOUBLED + "{{ i|list|length }}",
    DOUBLED + "{{ i ~ i }}",
    DOUBLED + "{{ i|join }}",
    DOUBLED + "{{ i|sort }}",
    DOUBLED + "{{ i|unique|list }}",
    DOUBLED + "{{ i|max }}",
    DOUBLED + "{{ i + i }}",
    DOUBLED + "{% set j = [" + ",".join("h" * 10) + "] %}{{ i == j }}",
    DOUBLED + "{% set j = [" + ",".join("h" * 10) + "] %}{{ i is eq(j) }}",
    DOUBLED + "{% set j = [" + ",".join("h" * 10) + "] %}{{ j in [i] }}",
    DOUBLED + "{% set j = [" + ",".join("h" * 10) + "] %}{{ [j]|select('in', [i])|list }}",
    DOUBLED + "{% set j = [" + ",".join("h" * 10) + "] %}{{ i < j }}",
    TUPLED + "{{ {i: 1} }}",
    TUPLED + "{{ row[i] }}",
    "{{ range(10**9)|list }}",
    "{{ range(1000)|map('string')|map('replace', '1', 'x' * 1000)|map('upper')|join(',') }}",
    "{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}",
    "{% set s = 'x' * 200000 %}{% for a in range(1000) %}{{ s.upper()[0] }}{% endfor %}",
    "{% set s = 'x' * 200000 %}{% for a in range(1000) %}{% if s == s ~ '' %}{% endif %}{% endfor %}",
    "{% set s = ('x,' * 100000) %}{% for a in range(1000) %}{% set t = s.split(',') %}{% endfor %}{{ 1 / 0 }}",
    "{% set s = ['a', 'b'] * 5000 %}{% for a in range(1000) %}{% set t = s|sort %}{% endfor %}{{ 1 / 0 }}",
    "{% for a in range(999) %}{% for b in range(20) %}" + "{% set c = a + b %}" * 1500 + "{% endfor %}{% endfor %}x",
    "{% set s = 'a' * 200000 %}{{ s|trim('b' * 190000 ~ 'a') }}",
    "{% set s = 'a' * 200000 %}{{ s.strip('b' * 190000 ~ 'a') }}",
    "{{ ([{}] * 1000)|sort(attribute=',' * 100000) }}",
    "{{ [{}]|map(attribute='.' * 200000)|list }}",
    "{% for a in range(900) %}{{ 'x' * 1000 }}{% endfor %}",
    "{{ task.created_at|date('%Y' * 100000) }}",
    "{{ task.created_at|date('%9999999999Y') ~ 'x' * 10**9 }}",
    "{{ task.created_at|date('%Y', 'x' * 100000) }}",
    "{{ 1e300|int * 1e300|int }}",
    "{{ ('9' * 5000)|int * 'a' ~ boom }}",
    "{{ task['x' * 200000] }}",
    "{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}",
    "{{ " + "[" * 3000 + "]" * 3000 + " }}",
    "{{ " + "not " * 6000 + "1 }}",
    "{{ " + "-" * 9000 + "1 }}",
    "{{ 1" + "|string" * 4000 + " }}",
    "{{ task" + ".a" * 9000 + " }}",
    "{% if 1 %}" * 1500 + "{% endif %}" * 1500,
    "{% for a in [1] %}" * 900 + "{% endfor %}" * 900,
    "{{ 'x' " + "~ 'x' " * 20000 + "}}",
    "x" * 300_000,
]


@cache
def outcomes() -> list[dict[str, Any]]:
    run = subprocess.run(
        [sys.executable, "-m", "tests.unit.recipe.attack"],
        input=json.dumps(["{{ task.id }}", *ESCAPES, *BOMBS]),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return json.loads(run.stdout)


def test_what_is_harmless_is_rendered_there() -> None:
    assert outcomes()[0]["said"].startswith("rendered")


@pytest.mark.parametrize(
    "number", range(1, 1 + len(ESCAPES) + len(BOMBS)), ids=[text[:60] for text in [*ESCAPES, *BOMBS]]
)
def test_it_is_refused_within_the_limits(number: int) -> None:
    outcome = outcomes()[number]
    assert outcome["said"].startswith("refused"), outcome
    assert outcome["status"] == 0
    assert outcome["seconds"] < SECONDS
    assert outcome["bytes"] < outcomes()[0]["bytes"] + MEMORY_MORE


def many(template: str, count: int) -> Recipe:
    document = {
        "name": "x",
        "on": "task.succeeded",
        "steps": {"a": {"use": "http", "with": {f"v{number}": template for number in range(count)}}},
    }
    return parse(json.dumps(document), "r.yaml")


def test_the_limits_are_those_of_the_whole_step() -> None:
    recipe = many("{{ 'x' * 200000 }}", 5)
    assert len(Renderer().render(recipe, recipe.steps["a"], sample())) == 5
    recipe = many("{{ 'x' * 200000 }}", 6)
    with pytest.raises(RenderError, match="characters together"):
        Renderer().render(recipe, recipe.steps["a"], sample())
    recipe = many("{% for a in range(999) %}{% endfor %}", 30)
    with pytest.raises(RenderError, match="turns together"):
        Renderer().render(recipe, recipe.steps["a"], sample())


class Machine:
    """Two clocks: what it says on the wall, and how long it has worked for us."""

    def __init__(self) -> None:
        self.wall = self.worked = 0.0

    def monotonic(self) -> float:
        return self.wall

    def thread_time(self) -> float:
        return self.worked


def test_a_rendering_ends_after_its_seconds_and_not_for_those_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    monkeypatch.setattr(budget, "time", machine)
    limit = budget.Budget()
    machine.wall = 3600.0
    limit.spend(1)
    machine.worked = 0.4
    limit.spend(1)  # an hour on a busy machine, of which little was ours
    machine.worked = 0.6
    with pytest.raises(SecurityError, match="may take 1 s together"):
        limit.turn()


def test_an_error_quotes_no_more_than_a_little() -> None:
    with pytest.raises(RenderError) as caught:
        fill("{{ task['x' * 200000] }}")
    assert len(str(caught.value)) < 2000
