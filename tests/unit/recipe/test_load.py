"""Reading a recipe: what is wrong is said by line, and arbitrary text never does anything worse."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import discover
from relay.recipe import Known, Recipe, RecipeErrors, Renderer, check, check_text, load_folder, parse
from relay.recipe.gallery import gallery
from relay.recipe.reach import sample, sample_step

GOOD = """\
name: Tell
on: task.succeeded
steps:
  tell:
    use: http
    with:
      url: "https://x.example/{{ task.id }}"
"""
CONFIGS = {name: connector.Config for name, connector in discover()[0].items()}
SHIPPED = sorted(Path("recipes").rglob("*.yaml"))


def sample_steps(recipe: Recipe) -> dict[str, object]:
    return {name: [sample_step()] if step.for_each else sample_step() for name, step in recipe.steps.items()}


def wrong(source: str) -> list[str]:
    with pytest.raises(RecipeErrors) as caught:
        parse(source, "r.yaml")
    return str(caught.value).splitlines()


def test_a_recipe_keeps_its_source_and_is_known_by_its_hash() -> None:
    recipe = parse(GOOD, "r.yaml")
    assert (recipe.name, recipe.on, recipe.steps["tell"].use) == ("Tell", ["task.succeeded"], "http")
    assert recipe.source == GOOD
    assert len(recipe.hash) == 64
    assert parse(GOOD + "\n", "r.yaml").hash != recipe.hash


def test_words_mean_what_they_say() -> None:
    source = GOOD + "      body: { on: yes, off: no, y: n, version: 1.10, empty: ~, big: 007, ok: true }\n"
    body = parse(source, "r.yaml").steps["tell"].with_["body"]
    assert body == {"on": "yes", "off": "no", "y": "n", "version": 1.1, "empty": None, "big": "007", "ok": True}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("on: task.succeeded", "on: task.suceeded", "r.yaml:2:5: 'task.suceeded' is not an event"),
        ("    use: http", "    uses: http", "r.yaml:5:11: `uses:` is not known here"),
        ("name: Tell\n", "", "r.yaml:1:1: `name:` is missing"),
        ("name: Tell", "name: archive", "'archive' is the built-in recipe"),
        ("name: Tell", "name: [1]", "r.yaml:1:7: name: Expected `str`"),
        ("  tell:", "  Tell-it:", "'Tell-it' cannot name a step"),
        ("    use: http", "    use: http\n    after: nope", "r.yaml:6:12: there is no step 'nope'"),
        ("    use: http", "    use: http\n    after: tell", "the steps wait for each other: tell → tell"),
        ("    use: http", "    use: http\n    retry: { attempts: 0 }", "`attempts` must be 1 or more"),
        ("    use: http", "    use: http\n    timeout: soon", "steps.tell.timeout: Expected `"),
        ("{{ task.id }}", "{{ task.id }", "r.yaml:7:12: the template cannot be read: unexpected '}'"),
        ("{{ task.id }}", "{{ task.id | nope }}", "No filter named 'nope'"),
        ("{{ task.id }}", "{% include 'x' %}", "'include' cannot be used in a recipe"),
        ("name: Tell", "name: Tell\nname: Twice", "the key 'name' stands here twice"),
        ("name: Tell", "name: 'Tell", "this is not YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old: str, new: str, says: str) -> None:
    assert any(says in line for line in wrong(GOOD.replace(old, new))), wrong(GOOD.replace(old, new))


SLACK = """\
name: Tell
on: task.succeeded
steps:
  tell:
    use: slack
    with:
      channel: "#releases"
      text: "{{ task.id }} is ready"
"""


@pytest.mark.parametrize(
    ("old", "new", "place", "hint"),
    [
        ('"{{ task.id }} is ready"', "{{ task.id }}", "8:14", "put quotes around what has {{ }} in it"),
        ('"{{ task.id }} is ready"', "{{ task.id }} is ready", "8:27", "put quotes around what has {{ }} in it"),
        ("name: Tell", "name: Slack: tell", "1:12", 'a text with ": " in it must stand in quotes'),
        ("      text:", "\ttext:", "8:1", "indent with spaces, not with tabs"),
        ("    with:", "    with: { channel: #releases }\n    more:", "7:9", "begins with # must stand in quotes"),
        ("    use: slack", "    use: slack\n    retry: 5", "6:12", "write retry: { attempts: 5 }"),
        ("  tell:\n    use", "  - use", "4:3", "each step under a name of its own"),
        ("task.id", "task.id | filname", "8:13", "did you mean 'filename'?"),
    ],
)
def test_a_common_slip_is_told_with_its_remedy(old: str, new: str, place: str, hint: str) -> None:
    said, remedy = wrong(SLACK.replace(old, new))[:2]
    assert said.startswith(f"r.yaml:{place}: ")
    assert hint in remedy


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("channel: #releases", "7:15: slack's `channel` cannot be null: Expected `str`, got `null`"),
        ("message: threads", "7:16: slack's `message` cannot be \"threads\": Invalid enum value 'threads'"),
        ("blocks: none", '7:15: slack\'s `blocks` cannot be "none": Expected `array`, got `str`'),
    ],
)
def test_a_setting_that_its_connector_would_refuse_is_told_before(setting: str, said: str) -> None:
    found = check(parse(SLACK.replace('channel: "#releases"', setting), "r.yaml"), CONFIGS)
    assert [str(problem).splitlines()[0] for problem in found] == [f"r.yaml:{said}"]
    assert found[0].hint.startswith({"c": "nothing stands there; ", "m": "did you mean 'thread'?", "b": ""}[setting[0]])


@pytest.mark.parametrize("setting", ["message: thread", "message: \"{{ 'new' }}\"", "blocks: [{ type: divider }]"])
def test_a_setting_that_fits_or_is_not_known_yet_is_fine(setting: str) -> None:
    assert check(parse(SLACK.replace('channel: "#releases"', setting), "r.yaml"), CONFIGS) == []


def test_what_is_wrong_with_a_step_is_said_beside_what_is_wrong_with_the_rest() -> None:
    source = SLACK.replace("task.succeeded", "task.suceeded").replace("use: slack", "use: slack\n    after: nope")
    source = source.replace("channel:", "chanel:").replace("task.id }}", "task.id | filname }}")
    recipe, problems = check_text(source, "r.yaml", CONFIGS, {})
    assert recipe is None
    for said in ("is not an event", "no step 'nope'", "no setting 'chanel'", "No filter named 'filname'"):
        assert [said in str(problem) for problem in problems].count(True) == 1, said
    assert len(problems) == 4
    source = SLACK.replace("use: slack", "use: slak").replace("{{ task.id }}", "{{ tsk.id }}")
    assert len(check_text(source, "r.yaml", CONFIGS, {})[1]) == 2


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert len([line for line in wrong("on: x\nstep: 1\n") if line.startswith("r.yaml")]) == 3


def test_the_line_inside_a_block_is_exact() -> None:
    source = GOOD.replace('url: "https://x.example/{{ task.id }}"', "body: |\n        one\n        two {{ oops\n")
    assert wrong(source)[0].startswith("r.yaml:9:")


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"b{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "an alias repeats itself too often" in wrong("\n".join(lines))[0]


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_arbitrary_text_is_a_recipe_or_a_list_of_problems(text: str) -> None:
    found: list[object] = []
    try:
        found.append(parse(text, "r.yaml"))
    except RecipeErrors as errors:
        found += errors.problems
    assert found


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_arbitrary_templates_render_or_are_problems(text: str) -> None:
    from relay.recipe import RenderError

    try:
        recipe = parse(GOOD.replace("https://x.example/{{ task.id }}", "").replace('""', repr_yaml(text)), "r.yaml")
        Renderer().render(recipe, recipe.steps["tell"], sample())
    except (RecipeErrors, RenderError):
        pass


def repr_yaml(text: str) -> str:
    import json

    return json.dumps("{{ " + text + " }}")


class TestFolder:
    def test_a_missing_folder_has_no_recipes(self, tmp_path: Path) -> None:
        assert len(load_folder(tmp_path / "nowhere")) == 0

    def test_all_files_are_read_and_all_their_problems_told(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text("name: x\n")
        (tmp_path / "b.yml").write_text("on: y\n")
        (tmp_path / "c.yaml").write_bytes(b"\xff\xfe")
        (tmp_path / "notes.txt").write_text("not a recipe")
        with pytest.raises(RecipeErrors) as caught:
            load_folder(tmp_path)
        assert {Path(problem.file).name for problem in caught.value.problems} == {"a.yaml", "b.yml", "c.yaml"}

    def test_two_recipes_of_one_name_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(GOOD)
        (tmp_path / "b.yaml").write_text(GOOD)
        with pytest.raises(RecipeErrors, match="has the same name: 'Tell'"):
            load_folder(tmp_path)


class TestCheck:
    @pytest.mark.parametrize(
        ("old", "new", "says", "hint"),
        [
            ("use: http", "use: htp", "5:10: there is no connector 'htp'", "did you mean 'http'?"),
            ("url:", "ulr:", "http has no setting 'ulr'", "did you mean 'url'?"),
            ("use: http", "use: folder", "folder needs `path:`", ""),
            ("use: http", "use: http\n    connection: hok", "there is no connection 'hok'", "did you mean 'hook'?"),
            ("task.id", "tsk.id", "'tsk' is not in reach here", "did you mean 'task'?"),
            ("task.id", "task.statsu", "`task.statsu` is not there", "did you mean 'status'?"),
            ("task.id", "event.name", "`event.name` is not there", ""),
            ("task.id", "steps.other.url", "`steps.other` is not there", ""),
            ("task.id", "vars.x", "`vars.x` is not there", ""),
            ("task.id", "delivery.error", "'delivery' is not in reach here", ""),
        ],
    )
    def test_what_would_fail_is_found_before(self, old: str, new: str, says: str, hint: str) -> None:
        problems = check(parse(GOOD.replace(old, new, 1), "r.yaml"), CONFIGS, {"hook": Known()})
        found = [problem for problem in problems if says in str(problem)]
        assert found, problems
        assert hint in found[0].hint

    @pytest.mark.parametrize(
        ("known", "wrong"),
        [
            ({"team-slack": Known("slack", frozenset({"token"}))}, True),
            ({"team-slack": Known("slack", frozenset())}, True),
            ({"team-slack": Known("slack", frozenset({"token", "signing_secret"}))}, False),
            ({"team-slack": Known("slack", None)}, False),
            (
                {
                    "team-slack": Known("slack", frozenset({"webhook_url"})),
                    "same-app": Known("slack", frozenset({"signing_secret"})),
                },
                False,
            ),
        ],
    )
    def test_what_the_settings_ask_of_the_connection_is_looked_for(self, known: dict[str, Known], wrong: bool) -> None:
        recipe = parse(gallery()["slack-approve-storyboard"].read_text(), "r.yaml")
        assert ["has no `signing_secret`" in str(one) for one in check(recipe, CONFIGS, known)] == [True] * wrong
        plain = parse(SLACK, "r.yaml")
        assert check(plain, CONFIGS, {name: Known("slack", frozenset()) for name in ("team-slack", "chat")}) == []

    def test_a_step_sees_only_what_is_done_before_it(self) -> None:
        two = GOOD + '  late: { use: http, with: { url: "{{ steps.tell.url }}" } }\n'
        (problem,) = check(parse(two, "r.yaml"), CONFIGS)
        assert "`steps.tell` is not done yet when this step runs; add `after: tell`" in problem.message
        assert check(parse(two.replace("use: http, with", "use: http, after: tell, with"), "r.yaml"), CONFIGS) == []

    def test_names_made_in_the_template_are_fine(self) -> None:
        source = GOOD.replace(
            "{{ task.id }}", "{% set x = task.id %}{% for m in media %}{{ loop.index }}{{ m.url }}{% endfor %}"
        )
        assert check(parse(source, "r.yaml"), CONFIGS) == []

    def test_when_cannot_see_what_is_not_there_yet(self) -> None:
        (problem,) = check(parse(GOOD + 'when: "{{ media[0].size > 1 }}"\n', "r.yaml"), CONFIGS)
        assert "'media' is not in reach here" in problem.message


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_fine_and_renders(path: Path) -> None:
    recipe = parse(path.read_text(encoding="utf-8"), str(path))
    assert path.read_text(encoding="utf-8").splitlines()[1].startswith("# "), "a comment for a beginner comes first"
    assert check(recipe, CONFIGS) == []
    for event in recipe.on:
        context = sample(event)
        context["steps"] = sample_steps(recipe)
        for step in [*recipe.steps.values(), *recipe.on_failure]:
            Renderer().render(recipe, step, context)


def test_there_are_shipped_recipes() -> None:
    assert len(SHIPPED) >= 4
