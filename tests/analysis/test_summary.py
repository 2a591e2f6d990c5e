import json
from dataclasses import fields

import numpy as np
import pytest

from porl_robot.analysis.comparison import Improvement, Row
from porl_robot.analysis.summary import IMPROVEMENTS, JOINTS, PARAMETERS, ROWS, SCHEMA, schema_table, write_summary

EVALUATE = {
    "policy": "runs/bc",
    "env": "arm_reach",
    "seed": 3,
    "episodes": 50,
    "success": 0.5,
    "success_low": 0.37,
    "success_high": 0.63,
    "assisted": 0,
    "return_mean": -31.0,
    "seconds": 4,
}
POINT = {"env_steps": 100, "success": None, "episodes": 20, "return_mean": -5.0}
EXAMPLES = {
    "string": "text",
    "integer": 1,
    "number": 0.5,
    "true or false": False,
    "list of numbers": [0.5, 1.0],
    "object: string to integer": {"rate": 2},
    "list of strings": ["critic"],
    "list of integers": [0, 1],
    "list of {env_steps, success, episodes, return_mean}": [POINT],
    ROWS.name: [{each.name: None for each in fields(Row)}],
    JOINTS.name: [{"joint": "pan", "before": 0.002, "after": 0.001}],
    PARAMETERS.name: [
        {"joint": "pan", "parameter": "kp", "before": 14.4, "after": 14.1, "error": 0.1, "told_by": "data"}
    ],
    IMPROVEMENTS.name: [{each.name: 0.5 for each in fields(Improvement)}],
}


def example(kind):
    return {key.name: EXAMPLES[key.kind.name] for key in SCHEMA[kind]}


@pytest.mark.parametrize("kind", SCHEMA)
def test_every_kind_is_written_and_read_back(kind, tmp_path):
    write_summary(kind, tmp_path / "summary.json", example(kind))
    assert json.loads((tmp_path / "summary.json").read_text()) == example(kind)


@pytest.mark.parametrize("kind", SCHEMA)
def test_exactly_the_nullable_keys_may_be_null(kind, tmp_path):
    path = tmp_path / "summary.json"
    for key in SCHEMA[kind]:
        values = {**example(kind), key.name: None}
        if key.nullable:
            write_summary(kind, path, values)
            assert json.loads(path.read_text())[key.name] is None
        else:
            with pytest.raises(TypeError, match=f"{kind} summary: {key.name} must be .* got None"):
                write_summary(kind, path, values)


def test_finetune_has_what_comparisons_need():
    wanted = (
        "method env seed env_steps critic_updates actor_updates bc_success bc_success_sampled curve unfreeze_step "
        "worst_after_unfreeze steps_to_90 steps_to_95 final_success interventions wall_s cpu_s cpu_s_eval"
    )
    assert set(wanted.split()) <= {key.name for key in SCHEMA["finetune"]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("nan")])
def test_what_is_not_finite_becomes_null(value, tmp_path):
    write_summary("evaluate", tmp_path / "s.json", {**EVALUATE, "return_mean": value})
    assert json.loads((tmp_path / "s.json").read_text())["return_mean"] is None


def test_numpy_numbers_become_plain(tmp_path):
    values = {**EVALUATE, "seed": np.int64(7), "success": np.float64(0.25)}
    write_summary("evaluate", tmp_path / "s.json", values)
    read = json.loads((tmp_path / "s.json").read_text())
    assert (read["seed"], read["success"]) == (7, 0.25)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 1.5),
        ("seed", True),
        ("env", 3),
        ("success", "0.5"),
        ("success", False),
        ("seconds", float("nan")),
    ],
)
def test_a_wrong_type_is_an_error_and_leaves_no_file(key, value, tmp_path):
    with pytest.raises(TypeError, match=f"evaluate summary: {key} must be"):
        write_summary("evaluate", tmp_path / "s.json", {**EVALUATE, key: value})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("curve", [{"env_steps": 1}]),
        ("curve", [{**POINT, "more": 1}]),
        ("curve", [{**POINT, "env_steps": 1.0}]),
        ("curve", "none"),
        ("interventions", {"rate": 0.5}),
        ("interventions", [("rate", 1)]),
        ("initialised", "critic"),
        ("initialised", [1]),
    ],
)
def test_nested_values_are_checked(key, value, tmp_path):
    with pytest.raises(TypeError, match=f"finetune summary: {key} must be"):
        write_summary("finetune", tmp_path / "s.json", {**example("finetune"), key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seeds", [0.5]),
        ("seeds", 1),
        ("rows", [{"env": "arm_reach"}]),
        ("rows", [1]),
        ("rows", {}),
        ("improvements", [{each.name: True for each in fields(Improvement)}]),
    ],
)
def test_the_records_of_a_comparison_are_checked(key, value, tmp_path):
    with pytest.raises(TypeError, match=f"compare summary: {key} must be"):
        write_summary("compare", tmp_path / "s.json", {**example("compare"), key: value})


def test_missing_unknown_and_kind_are_key_errors(tmp_path):
    short = {key: value for key, value in EVALUATE.items() if key != "seed"}
    with pytest.raises(KeyError, match="seed"):
        write_summary("evaluate", tmp_path / "s.json", short)
    with pytest.raises(KeyError, match="colour"):
        write_summary("evaluate", tmp_path / "s.json", {**EVALUATE, "colour": 1})
    with pytest.raises(KeyError, match="dance"):
        write_summary("dance", tmp_path / "s.json", EVALUATE)


def test_an_old_summary_survives_a_failed_write(tmp_path):
    path = tmp_path / "s.json"
    write_summary("evaluate", path, EVALUATE)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_summary("evaluate", path, {**EVALUATE, "seed": "x"})
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["s.json"]


@pytest.mark.parametrize("kind", SCHEMA)
def test_the_table_names_every_key_once(kind):
    lines = schema_table(kind).splitlines()
    assert lines[0] == "| key | type | meaning |"
    assert len(lines) == 2 + len(SCHEMA[kind])
    assert all(line.count("|") == 4 for line in lines)
    assert len({key.name for key in SCHEMA[kind]}) == len(SCHEMA[kind])
