"""The runs a comparison is planned to consist of."""

import pytest
from omegaconf import OmegaConf

from porl_robot.errors import UsageError
from porl_robot.verbs import cells
from porl_robot.verbs.compose import load


def test_the_first_seed_comes_first_and_inputs_are_shared(tmp_path):
    config = load(
        "compare", ["envs=[arm_reach,arm_lift]", "methods=[porl,sac_scratch]", "seeds=[0,1]", f"out={tmp_path}"]
    )
    planned = cells.plan(config)
    assert [str(cell) for cell in planned[:5]] == [
        "arm_reach porl seed 0",
        "arm_reach sac_scratch seed 0",
        "arm_lift porl seed 0",
        "arm_lift sac_scratch seed 0",
        "arm_reach porl seed 1",
    ]
    assert [[step.verb for step in cell.steps] for cell in planned[:2]] == [
        ["collect", "pretrain", "finetune"],
        ["finetune"],
    ]
    assert [cell.given for cell in planned[:2]] == ["policy (bc)", "nothing"]
    inputs = [step.out.name for cell in planned for step in cell.steps[:-1]]
    assert len(set(inputs)) == len(inputs) == 8  # of every task and seed its own
    assert "episodes=100" in planned[0].steps[0].overrides and "episodes=40" in planned[2].steps[0].overrides


def test_a_cached_name_follows_everything_that_determines_it(tmp_path):
    def names(*overrides):
        config = load("compare", ["envs=[arm_reach]", "methods=[porl]", "seeds=[0]", f"out={tmp_path}", *overrides])
        return [step.out.name for step in cells.plan(config)[0].steps[:-1]]

    log, policy = names()
    assert names("learner.members=4", "steps=5", "method.target.discount=0.9") == [log, policy]
    recloned = names("cloning_steps=100")
    assert recloned[0] == log and recloned[1] != policy
    for change in ("demonstrations=50", "safety.speed=0.5", "env.skills.degraded.bias=0.02"):
        changed = names(change)
        assert changed[0] != log and changed[1] != policy


@pytest.mark.parametrize(
    ("requires", "pretraining", "inputs", "by"),
    [
        ([], None, set(), "bc"),
        (["policy"], None, {"policy"}, "bc"),
        (["policy", "critics"], "cal_ql", {"policy", "critics"}, "cal_ql"),
        (["policy", "critics", "offline_data"], "iql", {"policy", "critics", "data"}, "iql"),
        (["offline_data"], None, {"data"}, "bc"),
    ],
)
def test_what_a_method_requires_says_what_it_is_given(requires, pretraining, inputs, by):
    named = {} if pretraining is None else {"pretraining": pretraining}
    method = OmegaConf.create({"name": "new", "requires": requires} | named)
    assert cells.inputs_of(method) == (inputs, by)


@pytest.mark.parametrize(
    ("requires", "says"),
    [
        (["rewards"], "method=new: requires rewards; compare provides policy, critics, offline_data"),
        (["policy", "critics"], "requires critics, but its key pretraining names none that makes some"),
    ],
)
def test_what_cannot_be_given_is_refused(requires, says):
    with pytest.raises(UsageError, match=says):
        cells.inputs_of(OmegaConf.create({"name": "new", "requires": requires}))
