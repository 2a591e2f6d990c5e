"""`import-policy`: from a file to a policy that the other verbs take."""

import json

import pytest
import torch

from porl_robot.analysis.summary import SCHEMA
from porl_robot.policy.checkpoint import load_policy

REACH = "env=arm_reach"
QUICK = ["episodes=2", "rounds=1", "steps=60", "hidden=[16]", "eval_episodes=2"]
STEADY = "def policy(o): return np.tanh(o[-4:] * .1)"


class Reacher(torch.nn.Module):
    """Any perceptron of the right sizes."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = torch.nn.Linear(18, 8), torch.nn.Linear(8, 4)

    def forward(self, observation):
        return torch.tanh(self.last(torch.relu(self.first(observation))))


@pytest.fixture
def scripted(tmp_path):
    torch.jit.script(Reacher().eval()).save(str(tmp_path / "reacher.pt"))
    return tmp_path / "reacher.pt"


@pytest.fixture
def mine(tmp_path):
    """The place of a callable with this code."""

    def written(code):
        (tmp_path / "mine.py").write_text(f"import numpy as np\n{code}\n")
        return f"{tmp_path / 'mine.py'}:policy"

    return written


def summary(out):
    said = json.loads((out / "summary.json").read_text())
    assert list(said) == [key.name for key in SCHEMA["import-policy"]]
    return said


def test_a_module_is_converted_and_fine_tuned(cli, tmp_path, scripted, tiny):
    imported, tuned = tmp_path / "imported", tmp_path / "tuned"
    outcome = cli("import-policy", REACH, f"source={scripted}", "eval_episodes=3", f"out={imported}")
    assert outcome.code == 0, outcome.err
    assert "converted from torchscript" in outcome.out and "WARNING" not in outcome.out
    said = summary(imported)
    assert (said["kind"], said["route"], said["within_tolerance"], said["fitted_on"]) == (
        "torchscript", "converted", True, 0,
    )  # fmt: skip
    assert max(said["mode_difference_max"]) < 1e-5 and said["success"] == said["source_success"]
    policy = load_policy(imported)
    assert policy.hash == said["policy_hash"] and policy.spec.hidden == (8,)
    assert policy.spec.provenance["method"] == "import" and len(policy.spec.provenance["source_hash"]) == 64
    assert cli("finetune", REACH, f"policy={imported}", *tiny, f"out={tuned}").code == 0
    assert json.loads((tuned / "summary.json").read_text())["actor_updates"] > 0


def test_layers_that_are_called_by_numbers_need_no_quotes(cli, tmp_path):
    stacked = torch.nn.Sequential(torch.nn.Linear(18, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
    torch.save(stacked.state_dict(), tmp_path / "stacked.pth")
    given = ["import-policy", REACH, f"source={tmp_path / 'stacked.pth'}", "layers=[0,2]", "eval_episodes=2"]
    outcome = cli(*given, f"out={tmp_path / 'out'}")
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "out" / "policy.safetensors").exists() and "converted from state_dict" in outcome.out


def test_a_callable_is_distilled(cli, tmp_path, mine, log):
    out = tmp_path / "out"
    outcome = cli("import-policy", REACH, f"source={mine(STEADY)}", f"log={log}", *QUICK, f"out={out}")
    assert outcome.code == 0, outcome.err
    said = summary(out)
    assert (said["kind"], said["route"], said["log"]) == ("callable", "distilled", str(log))
    assert said["fitted_on"] > 8 * 100 and said["compared_on"] > 100
    assert said["within_tolerance"] == (max(said["mode_difference_95"]) <= 0.05)
    assert cli("evaluate", REACH, f"policy={out}", "episodes=1", f"out={tmp_path / 'judged'}").code == 0


def test_a_miss_is_written_with_a_warning(cli, tmp_path, mine):
    out = tmp_path / "out"
    keys = [*QUICK, "steps=1", "rounds=0", "tolerance=0.001"]
    outcome = cli("import-policy", REACH, f"source={mine(STEADY)}", *keys, f"out={out}")
    assert outcome.code == 0
    assert "WARNING: the imported policy misses tolerance=0.001: 95 % of its actions" in outcome.out
    assert summary(out)["within_tolerance"] is False and (out / "policy.json").is_file()


@pytest.mark.parametrize(("code", "declared"), [
    ("def policy(o): return np.stack([np.tanh(o[-4:])] * 5)", ["chunk=3"]),
    ("def policy(o): return np.tanh(o[-4:] + np.random.normal(size=4))", ["stochastic=true"]),
    ("class policy:\n  def reset(self): self.n = 0\n  def __call__(self, o):\n    self.n += 1\n"
     "    return np.full(4, np.sin(self.n))", ["stateful=true"]),
])  # fmt: skip
def test_chunks_chance_and_memory_are_distilled_where_declared(cli, tmp_path, mine, code, declared):
    out = tmp_path / "out"
    outcome = cli("import-policy", REACH, f"source={mine(code)}", *declared, *QUICK, f"out={out}")
    assert outcome.code == 0, outcome.err
    assert summary(out)["route"] == "distilled"


def test_it_is_repeatable(cli, tmp_path, mine):
    code = "def policy(o): return np.tanh(o[-4:] + .1 * np.random.normal(size=4))"
    for name in ("one", "other"):
        command = ["import-policy", REACH, f"source={mine(code)}", "stochastic=true", *QUICK]
        assert cli(*command, f"out={tmp_path / name}").code == 0
    one, other = (summary(tmp_path / name) for name in ("one", "other"))
    assert one | {"wall_s": 0} == other | {"wall_s": 0}


def assert_refused(outcome, code, says, out):
    assert outcome.code == code, outcome.err
    assert outcome.err.startswith("porl-robot import-policy: ") and says in outcome.err
    assert outcome.err.count("\n") == 1 and outcome.out == ""
    assert not out.exists()


@pytest.mark.parametrize(("arguments", "says"), [
    ([], "source=... is missing; expected the file of the policy, or module:attribute"),
    (["source=x", "kind=keras"], "kind=keras: expected auto or torchscript or export or onnx or sb3 or state_dict"),
    (["source=x", "chunk=0"], "chunk=0: expected a whole number of at least 1 or null"),
    (["source=x", "tolerance=0"], "tolerance=0: expected a number above 0"),
    (["source=x", "tolerance=abc"], "tolerance=abc: expected a number"),
    (["source=x", "hidden=[]"], "hidden=[]: expected widths of at least 1"),
    (["source=x", "hidden=64"], "hidden=64: expected a list"),
    (["source=x", "action_low=[-1]"], "action_low and action_high: give both or neither"),
    (["source=x", "observation_indices=[1,1]"], "observation_indices=[1, 1]: expected different whole numbers"),
    (["source=x", "activation=cosine"], "activation=cosine: expected relu or tanh"),
    (["source=x", "output=relu"], "output=relu: expected tanh or linear or clip"),
    (["source=x", "stochastic=perhaps"], "stochastic=perhaps: expected true or false"),
    (["-m", "source=x", "chunk=1,0"], "chunk=0: expected a whole number of at least 1 or null"),
])  # fmt: skip
def test_wrong_usage_is_refused(cli, tmp_path, arguments, says):
    out = tmp_path / "out"
    assert_refused(cli("import-policy", REACH, *arguments, f"out={out}"), 2, says, out)


@pytest.mark.parametrize(("code", "says"), [
    ("def policy(o): return o[:3]", "gives an action of shape (3,); arm_reach takes (4,)"),
    ("def policy(o): return o @ np.eye(12)[:, :4]", "does not accept an observation of 18 numbers (ValueError"),
    ("def policy(o): return np.full(4, np.nan)", "gives a non-finite action at 16 of 16 observations"),
    ("def policy(o): return np.array([0, 0, 31.4, 0])", "actions reach 31.4 in dimension 2 where the space ends at 1"),
    ("def policy(o): return np.random.uniform(-1, 1, 4)", "is stochastic: two queries of one observation differ by"),
    ("n = []\ndef policy(o):\n  n.append(0)\n  return np.full(4, len(n) / 1e3)", "it is stateful, or draws random"),
    ("def policy(o): return np.zeros((5, 4))", "a chunk of 5; say with chunk=1 to chunk=5"),
    ("policy = 3", "is a int; expected something to call with an observation"),
    ("import nowhere_at_all", "cannot be imported (ModuleNotFoundError: No module named 'nowhere_at_all')"),
])  # fmt: skip
def test_unfit_sources_are_refused_with_the_evidence(cli, tmp_path, mine, code, says):
    out = tmp_path / "out"
    assert_refused(cli("import-policy", REACH, f"source={mine(code)}", f"out={out}"), 1, says, out)


def test_what_breaks_only_while_it_moves_is_refused_too(cli, tmp_path, mine):
    code = "n = []\nclass policy:\n  def __call__(self, o): return np.where(abs(o[:4]) > .6, np.nan, 1.)"
    outcome = cli("import-policy", REACH, f"source={mine(code)}", "eval_episodes=5", f"out={tmp_path / 'out'}")
    assert outcome.code == 1 and "gives a non-finite action in dimension" in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_folder_with_a_run_is_left_alone(cli, policy, scripted):
    before = (policy / "policy.json").read_bytes()
    outcome = cli("import-policy", REACH, f"source={scripted}", f"out={policy}")
    assert outcome.code == 2 and "already holds a run" in outcome.err
    assert (policy / "policy.json").read_bytes() == before


def test_a_log_of_another_task_is_refused(cli, tmp_path, log, scripted):
    out = tmp_path / "out"
    outcome = cli("import-policy", "env=arm_push", f"source={scripted}", f"log={log}", f"out={out}")
    assert_refused(outcome, 1, "its env is arm_reach, arm_push has arm_push; give a log of arm_push", out)


def test_a_policy_of_another_task_is_refused(cli, tmp_path, scripted):
    out = tmp_path / "out"
    outcome = cli("import-policy", "env=arm_push", f"source={scripted}", f"out={out}")
    assert_refused(outcome, 1, "does not accept an observation of 30 numbers", out)
    assert "mat1 and mat2 shapes cannot be multiplied (1x30 and 18x8)" in outcome.err
