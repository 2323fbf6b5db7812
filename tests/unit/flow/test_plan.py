"""What a recipe's steps become: one delivery each, or one for each file, in an order that always ends."""

from collections.abc import Mapping
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.flow.plan import plan_failure, plan_steps, step_of
from relay.journal import DeliveryRow, Finish
from relay.recipe import Recipe, Step

FINISH = Finish(
    task_id="task_1", revision=1, event_id="evt_1", event="task.succeeded", at=0.0, observed="{}", told_by="poll"
)
FIRST = ["archive"]


def step(*after: str, each: bool = False) -> Step:
    return Step(use="http", after=list(after), for_each="task.output.media" if each else None)


def planned(steps: Mapping[str, Step], items: int, first: list[str] | None = None) -> list[DeliveryRow]:
    numbers = count()
    recipe = Recipe(name="x", on=["task.succeeded"], steps=dict(steps))
    return plan_steps(FINISH, recipe, FIRST if first is None else first, items, lambda kind: f"{kind}_{next(numbers)}")


def waits(rows: list[DeliveryRow]) -> dict[str, set[str]]:
    """By name: the names of what each delivery waits for."""
    names = {row.id: row.step for row in rows} | {FIRST[0]: "archive"}
    return {row.step: {names[before] for before in row.waits_for} for row in rows}


def test_a_diamond() -> None:
    rows = planned({"last": step("left", "right"), "left": step("a"), "right": step("a"), "a": step()}, 1)
    assert waits(rows) == {"a": {"archive"}, "left": {"a"}, "right": {"a"}, "last": {"left", "right"}}
    assert [row.step for row in rows] == ["last", "left", "right", "a"], "in the order in which the recipe has them"


def test_what_comes_after_each_file_waits_for_all_of_them() -> None:
    rows = planned({"save": step(each=True), "note": step("save", each=True), "tell": step("note")}, 2)
    assert waits(rows) == {
        "save[0]": {"archive"},
        "save[1]": {"archive"},
        "note[0]": {"save[0]", "save[1]"},
        "note[1]": {"save[0]", "save[1]"},
        "tell": {"note[0]", "note[1]"},
    }


def test_a_step_without_files_is_stepped_over() -> None:
    steps = {"begin": step(), "save": step("begin", each=True), "note": step("save", each=True), "tell": step("note")}
    assert waits(planned(steps, 0)) == {"begin": {"archive"}, "tell": {"begin"}}


def test_with_nothing_before_it_such_a_step_keeps_nobody_waiting() -> None:
    (row,) = planned({"save": step(each=True), "tell": step("save")}, 0, first=[])
    assert (row.step, row.state, row.due_at, row.blockers) == ("tell", "due", 0.0, 0)


def test_a_step_named_twice_is_waited_for_once() -> None:
    rows = planned({"a": step(), "b": step("a", "a")}, 1)
    assert (rows[1].blockers, len(rows[1].waits_for)) == (1, 1)


def test_a_failure_of_one_file_is_told_for_that_file() -> None:
    recipe = Recipe(name="x", on=["task.succeeded"], steps={"save": step(each=True)}, on_failure=[step(), step()])
    (_, dead) = plan_steps(FINISH, recipe, [], 2, lambda kind: kind)
    told = plan_failure(dead, recipe, 5.0, lambda kind: kind)
    assert [row.step for row in told] == ["save[1]!0", "save[1]!1"]
    assert [step_of(recipe, row.step) for row in told] == recipe.on_failure


@pytest.mark.parametrize("each", [True, False])
def test_many_steps_are_planned_in_no_time(each: bool) -> None:
    layers = {f"s{layer}_{side}": layer for layer in range(400) for side in "ab"}
    steps = {
        name: step(*(f"s{layer - 1}_{side}" for side in "ab" if layer), each=each) for name, layer in layers.items()
    }
    rows = planned({**steps, "last": step("s399_a", "s399_b")}, 0)
    assert waits(rows)["last"] == ({"archive"} if each else {"s399_a", "s399_b"})


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Step]:
    names = [f"s{number}" for number in range(draw(st.integers(1, 7)))]
    steps = {
        name: step(*draw(st.lists(st.sampled_from(names[:at]), max_size=3)) if at else (), each=draw(st.booleans()))
        for at, name in enumerate(names)
    }
    return {name: steps[name] for name in draw(st.permutations(names))}


@given(graphs(), st.integers(0, 3))
@settings(max_examples=300, deadline=None)
def test_whatever_the_order_everything_is_done_once_and_after_what_it_waits_for(
    steps: dict[str, Step], items: int
) -> None:
    rows = planned(steps, items)
    counted = {name: [row for row in rows if row.step.partition("[")[0] == name] for name in steps}
    assert all(len(counted[name]) == (items if steps[name].for_each else 1) for name in steps)
    done, left = set(FIRST), list(rows)
    over: set[str] = set()
    while left:
        ready = [row for row in left if done.issuperset(row.waits_for)]
        assert ready, "nobody waits for ever"
        for row in ready:
            name = row.step.partition("[")[0]
            before = _all_before(steps, name)
            assert all(other.id in done for earlier in before for other in counted[earlier])
            over.add(row.id)
        done |= {row.id for row in ready}
        left = [row for row in left if row.id not in over]


def _all_before(steps: Mapping[str, Step], name: str) -> set[str]:
    found: set[str] = set()
    waiting = list(steps[name].after)
    while waiting:
        other = waiting.pop()
        found.add(other)
        waiting += steps[other].after
    return found
