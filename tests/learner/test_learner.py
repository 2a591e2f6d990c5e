import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from porl_robot.errors import UserError
from porl_robot.learner.learner import Learner
from porl_robot.methods.actor_losses import SoftActorCritic
from porl_robot.methods.anchors import ModeDistance
from porl_robot.methods.critic_losses import WithReferenceValue
from porl_robot.methods.critics import action_values
from porl_robot.methods.method import CriticTraining, Temperature
from porl_robot.methods.schedules import Constant, Linear
from porl_robot.methods.warm_up import Fit
from porl_robot.policy.inference import PolicyRunner
from porl_robot.policy.network import normalise
from porl_robot.replay.buffer import ReplayBuffer

FROZEN = ("actor", "reference", "temperature", "actor_moments", "temperature_moments")


def snapshot(learner):
    return {name: tensor.detach().clone() for name, tensor in learner.state.tensors()}


def changed(learner, before):
    return {name for name, tensor in learner.state.tensors() if not torch.equal(tensor, before[name])}


def test_same_seed_same_learner_bit_for_bit(learner_of):
    learners = [learner_of(seed=seed) for seed in (3, 3, 4)]
    for learner in learners:
        learner.fit(60, Fit(20, 1e-3, 0.02), 20)
        for step in range(5):
            learner.block(60, step)
    first, again, other = (dict(learner.state.tensors()) for learner in learners)
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert not torch.equal(first["critics.w0"], other["critics.w0"])
    assert not torch.equal(first["actor.mean.weight"], other["actor.mean.weight"])


@pytest.mark.parametrize("job", ["fit", "frozen block"])
def test_frozen_actor_and_temperature_stay_bit_identical(learner_of, job):
    learner = learner_of()
    learner.block(60, 1)  # so that there is memory of the actor's optimiser to lose
    before = snapshot(learner)
    for _ in range(5):
        if job == "fit":
            learner.fit(60, Fit(10, 1e-2, 0.1), 10)
        else:
            learner.block(60, None)
    after = changed(learner, before)
    assert not {name for name in after if name.split(".")[0] in FROZEN}
    assert {f"critics.{name}" for name in learner.state.networks["critics"]} <= after
    assert {f"targets.{name}" for name in learner.state.networks["targets"]} <= after


def test_updates_are_counted(learner_of):
    learner = learner_of(updates_per_step=4)
    learner.fit(60, Fit(100, 1e-3, 0.02), 21)
    assert (learner.critic_updates, learner.actor_updates) == (21, 0)
    learner.block(60, None)
    assert (learner.critic_updates, learner.actor_updates) == (25, 0)
    learner.block(60, 0)
    assert (learner.critic_updates, learner.actor_updates) == (29, 1)
    moments = learner.state.moments
    assert moments["critics"].step == 29
    assert moments["actor"].step == moments["temperature"].step == 1


def test_first_fit_begins_at_the_mean_return_later_ones_where_they_are(learner_of):
    learner, still = learner_of(), Fit(10, 0.0, 0.0)
    learner.fit(60, still, 5)
    mean = float(learner.buffer.returns(0.9).mean())
    assert mean < -3.0
    networks = learner.state.networks
    for critics in (networks["critics"], networks["targets"]):
        assert torch.equal(critics["b_out"], torch.full((3, 1), mean))
    with torch.no_grad():
        networks["critics"]["b_out"].fill_(5.0)
    learner.fit(60, still, 5)
    assert torch.equal(networks["critics"]["b_out"], torch.full((3, 1), 5.0))


def test_returns_beyond_what_the_task_can_have_are_clipped_as_targets_are(policy_of, method_of, config_of):
    """A log whose rewards are none of the task's: what fresh critics begin at and state values are fitted to."""
    buffer = ReplayBuffer(40, 3, 2)
    for row in range(40):
        buffer.add(np.zeros(3), np.zeros(2), np.zeros(3), 7.0 if row < 10 else -30.0, row % 10 == 9, False)
    fitted = method_of(critic_loss=WithReferenceValue())
    learner = Learner(fitted, config_of(), policy_of(), buffer, (-1.0, 0.0), 0)
    learner.fit(40, Fit(8, 0.0, 0.0), 8)
    assert torch.equal(buffer.all(40).returns, torch.tensor([0.0] * 10 + [-10.0] * 30))
    for group in ("critics", "targets", "reference_value"):
        assert learner.state.networks[group]["b_out"].detach().numpy() == pytest.approx(-7.5)


def test_fit_in_chunks_is_the_fit_in_one_go(learner_of):
    """As long as the chunks are whole blocks of the fit: the random stream is drawn block by block."""
    whole, chunks = learner_of(), learner_of()
    fit = Fit(48, 1e-3, 0.02)
    whole.fit(60, fit, 48)
    for _ in range(3):
        chunks.fit(60, fit, 16)
    for (name, tensor), (_, other) in zip(whole.state.tensors(), chunks.state.tensors(), strict=True):
        assert torch.equal(tensor, other), name


def test_fit_learns_the_values_of_a_known_task(policy_of, method_of, config_of):
    """Every step costs 1 and nothing ends: the value of everything is -1 / (1 - discount)."""
    buffer, rng = ReplayBuffer(200, 3, 2), np.random.default_rng(0)
    for row in range(200):
        observation, following = rng.normal(size=(2, 3))
        buffer.add(observation, rng.uniform(-1, 1, 2), following, -1.0, False, row % 20 == 19)
    learner = Learner(method_of(), config_of(), policy_of(), buffer, (-1.0, 0.0), 0)
    learner.fit(200, Fit(300, 3e-3, 0.1), 300)
    assert learner.diagnose(200)["q_mean"] == pytest.approx(-10.0, abs=0.3)


def test_a_late_failure_is_fitted_to_the_same_least_value_as_an_early_one(policy_of, method_of, config_of):
    """As marked after the first and after the last of 20 steps, the rest of the cost in the reward."""
    buffer, rng = ReplayBuffer(200, 3, 2), np.random.default_rng(0)
    early, late = np.eye(3)[:2]
    for _ in range(100):
        buffer.add(early, rng.uniform(-1, 1, 2), late, -20.0, True, False, False)
        buffer.add(late, rng.uniform(-1, 1, 2), early, -1.0, True, False, False)
    learner = Learner(method_of(), config_of(), policy_of(), buffer, (-1.0, 0.0), 0)
    learner.fit(200, Fit(300, 3e-3, 0.1), 300)
    observation = normalise(learner.state.networks["actor"], torch.tensor(np.stack([early, late]), dtype=torch.float32))
    values = action_values(learner.state.networks["critics"], observation, torch.zeros(2, 2))
    assert values.detach().numpy() == pytest.approx(-10.0, abs=0.3)


def test_fit_without_a_finished_episode_keeps_its_critics_finite(policy_of, method_of, config_of):
    buffer, rng = ReplayBuffer(50, 3, 2), np.random.default_rng(0)
    for _ in range(30):
        observation, following = rng.normal(size=(2, 3))
        buffer.add(observation, rng.uniform(-1, 1, 2), following, -1.0, False, False)
    learner = Learner(method_of(), config_of(), policy_of(), buffer, (-1.0, 0.0), 0)
    learner.fit(30, Fit(10, 1e-3, 0.02), 10)
    assert all(torch.isfinite(tensor).all() for tensor in learner.state.networks["critics"].values())


def test_blocks_see_the_first_rows_only(learner_of):
    """Rows written beyond those granted must not matter, not even when they are not finite."""
    learner, clean = learner_of(rows=60), learner_of(rows=60)
    for _ in range(20):
        learner.buffer.add(np.full(3, np.nan), np.full(2, np.nan), np.full(3, np.nan), np.nan, False, False)
    for step in range(5):
        learner.block(60, step)
        clean.block(60, step)
    assert learner.policy().hash == clean.policy().hash


def test_rates_of_the_method_reach_the_update(learner_of, method_of):
    still = method_of(critic=CriticTraining(0.0, 0.0), temperature=Temperature(0.3, 0.0, None))
    learner = learner_of(method=still)
    before = snapshot(learner)
    learner.block(60, 1)
    groups = {name.split(".")[0] for name in changed(learner, before)}
    assert groups == {"actor", "actor_moments", "critics_moments", "temperature_moments"}
    assert learner.state.networks["temperature"]["log_alpha"].exp().item() == pytest.approx(0.3)


def test_radius_follows_its_schedule(policy_of, method_of, config_of):
    anchored = method_of(actor_loss=SoftActorCritic("mean", ModeDistance(Linear(0.3, 0.5, 100))))
    learner = Learner(anchored, config_of(), policy_of(), ReplayBuffer(10, 3, 2), None, 0)
    radii = [learner.weights(0, step)["radius"] for step in (0, 50, 100, 1000)]
    assert radii == pytest.approx([0.3, 0.4, 0.5, 0.5])
    assert Learner(method_of(), config_of(), policy_of(), ReplayBuffer(10, 3, 2), None, 0).weights(0, 5) == {}


def test_small_radius_holds_the_actor(learner_of, method_of):
    distances = []
    for radius in (1e6, 1e-3):
        anchored = method_of(actor_loss=SoftActorCritic("mean", ModeDistance(Constant(radius))))
        learner = learner_of(method=anchored, updates_per_step=1)
        for step in range(200):
            learner.block(60, step)
        distances.append(learner.diagnose(60)["anchor_distance"])
    assert distances[1] < 0.2 * distances[0]


def test_anchor_does_not_depend_on_the_unit_of_the_reward(learner_of, method_of):
    """The same critics in another unit, at rest: the same pull in units of the action, so the same steps of Adam."""
    resting = {"critic": CriticTraining(0.0, 0.0), "temperature": Temperature(1e-9, 0.0, None)}
    anchored = method_of(actor_loss=SoftActorCritic("mean", ModeDistance(Constant(0.05))), **resting)
    actors = []
    for unit in (1.0, 64.0):
        learner = learner_of(method=anchored)
        with torch.no_grad():
            for name in ("w_out", "b_out"):
                learner.state.networks["critics"][name].mul_(unit)
        for step in range(50):
            learner.block(60, step)
        actors.append(learner.state.networks["actor"]["mean.bias"].detach())
    moved = (actors[0] - learner.state.networks["reference"]["mean.bias"]).norm()
    assert moved > 1e-3 and (actors[0] - actors[1]).norm() < 1e-3 * moved


def test_diagnosis_before_and_after_learning(learner_of):
    learner = learner_of()
    before = learner.diagnose(60)
    assert before["q_gain"] == before["anchor_distance"] == 0.0
    assert before["alpha"] == pytest.approx(0.1)
    state = snapshot(learner)
    runner = PolicyRunner(learner.policy())
    observations = learner.buffer.all(60).observation
    modes = torch.tensor(np.array([runner.mode(o) for o in observations.numpy()]))
    actor = learner.state.networks["actor"]
    normalised = (observations - actor["observation.mean"]) / actor["observation.std"]
    values = action_values(learner.state.networks["critics"], normalised.clamp(-10, 10), modes)
    assert before["q_mean"] == pytest.approx(values.mean().item(), rel=1e-4)
    assert before["q_std"] == pytest.approx(values.detach().numpy().std(0, ddof=1).mean(), rel=1e-4)
    assert not changed(learner, state)
    for step in range(30):
        learner.block(60, step)
    after = learner.diagnose(60)
    assert after["anchor_distance"] > 1e-3 and after["q_gain"] != 0.0


def test_rank_correlation_is_that_of_mean_q_and_returns(learner_of):
    learner = learner_of(rows=64)  # four rows of an unfinished episode at the end
    learner.fit(64, Fit(50, 3e-3, 0.05), 50)
    with torch.no_grad():
        batch = learner.buffer.all(60)
        actor = learner.state.networks["actor"]
        normalised = ((batch.observation - actor["observation.mean"]) / actor["observation.std"]).clamp(-10, 10)
        values = action_values(learner.state.networks["critics"], normalised, batch.action).mean(0)
    expected = spearmanr(values.numpy(), learner.buffer.returns(0.9)).statistic
    assert learner.rank_correlation(64) == pytest.approx(expected, abs=1e-4)
    assert learner.rank_correlation(20) == pytest.approx(
        spearmanr(values[:20].numpy(), learner.buffer.returns(0.9)[:20]).statistic, abs=1e-4
    )


def test_rank_correlation_of_a_constant_return_is_nan(policy_of, method_of, config_of):
    buffer, rng = ReplayBuffer(20, 3, 2), np.random.default_rng(0)
    for row in range(20):
        buffer.add(rng.normal(size=3), rng.uniform(-1, 1, 2), rng.normal(size=3), 0.0, False, row % 10 == 9)
    assert np.isnan(Learner(method_of(), config_of(), policy_of(), buffer, (-1.0, 0.0), 0).rank_correlation(20))


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["mean.weight", "layers.0.bias", "log_std.bias"])
def test_actor_that_is_no_longer_finite_is_refused(learner_of, broken, name):
    learner = learner_of()
    with torch.no_grad():
        learner.state.networks["actor"][name].view(-1)[0] = broken
    with pytest.raises(UserError, match=f"no longer finite.*{name}") as caught:
        learner.policy()
    assert "\n" not in str(caught.value)


def test_published_policy_is_a_copy(learner_of):
    learner = learner_of()
    policy = learner.policy()
    before = policy.hash
    learner.block(60, 1)
    assert policy.hash == before != learner.policy().hash


@pytest.mark.parametrize(
    ("name", "value"),
    [("members", 0), ("batch_size", 0), ("updates_per_step", 0), ("threads", 0), ("lag", -1), ("backend", "jax")],
)
def test_sizes_out_of_range_are_refused(config_of, name, value):
    with pytest.raises(ValueError, match=f"learner.{name} {value!r}"):
        config_of(**{name: value})
