"""What has to be known before the actor may train: the frozen-policy pre-sample and the critic's first fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from porl_robot.command import FloatArray
from porl_robot.methods.critic_losses import CriticLoss
from porl_robot.methods.replay_plans import ReplayPlan


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the pre-sample must show (our defaults).

    Attributes:
        successes, failures: episodes of each kind; ignored for tasks without a notion of success.
        rank_correlation: smallest Spearman correlation between the fitted Q and the discounted returns of the
            pre-sample. The level of Q is no criterion: critics far off in level have fine-tuned best.
        enough_successes: with fewer, the pre-sample goes on to at most twice its length.
    """

    successes: int
    failures: int
    rank_correlation: float
    enough_successes: int


@dataclass(frozen=True, slots=True)
class Fit:
    """Rapid critic initialisation by gradient steps with the actor frozen.

    The last-layer bias of fresh critics starts at the mean discounted return of the pre-sample.

    Attributes:
        updates: gradient steps. learning_rate: of Adam. tau: Polyak rate of the targets.
        critic_loss, replay: what to fit and to which rows; None for those of the method.
    """

    updates: int
    learning_rate: float
    tau: float
    critic_loss: CriticLoss | None = None
    replay: ReplayPlan | None = None

    def __post_init__(self) -> None:
        if self.updates < 1:
            raise ValueError(f"fit.updates {self.updates} must be at least 1")
        require_rate("fit.learning_rate", self.learning_rate)
        require_share("fit.tau", self.tau)


@dataclass(frozen=True, slots=True)
class WarmUp:
    """What happens before the actor trains.

    Attributes:
        steps: environment steps with the frozen actor.
        train_critic: whether the critic trains meanwhile, step by step.
        fit: the critic's fit at the end, or None.
        evidence: what must be there before the actor is unfrozen, or None for no condition.
        noise: the frozen actor's std is multiplied by these in turn, episode by episode.
    """

    steps: int
    train_critic: bool
    fit: Fit | None = None
    evidence: Evidence | None = None
    noise: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"warm_up.steps {self.steps} is negative")
        object.__setattr__(self, "noise", tuple(self.noise))
        if not self.noise or not min(self.noise) > 0.0:
            raise ValueError(f"warm_up.noise {list(self.noise)} must be factors above 0")

    def noise_scale(self, episode: int) -> float:
        """The factor for the pre-sample's episode of this number."""
        return self.noise[episode % len(self.noise)]


@dataclass(frozen=True, slots=True)
class PreSample:
    """What the frozen policy did. `successes` and `failures` are None for tasks without a notion of success."""

    steps: int
    successes: int | None
    failures: int | None


def keep_sampling(evidence: Evidence | None, planned: int, seen: PreSample) -> bool:
    """Whether the pre-sample should go on: planned steps not reached, or too little seen and less than twice them."""
    if seen.steps < planned:
        return True
    if evidence is None or seen.successes is None or seen.failures is None:
        return False
    lacking = seen.successes < evidence.enough_successes or seen.failures < evidence.failures
    return lacking and seen.steps < 2 * planned


def missing_evidence(evidence: Evidence | None, seen: PreSample, rank_correlation: float | None) -> str | None:
    """Why the actor must stay frozen, in words for the operator, or None. A NaN correlation is missing evidence."""
    if evidence is None:
        return None
    if seen.successes is not None and seen.successes < evidence.successes:
        return (
            f"the policy succeeded in {seen.successes} episodes of {seen.steps} frozen steps, "
            f"{evidence.successes} are needed to tell good from bad: start from a better policy"
        )
    if seen.failures is not None and seen.failures < evidence.failures:
        return (
            f"the policy failed in {seen.failures} episodes of {seen.steps} frozen steps, {evidence.failures} are "
            "needed to tell good from bad: it has little left to learn"
        )
    if rank_correlation is not None and not rank_correlation >= evidence.rank_correlation:
        return (
            f"the critic's rank correlation with the returns is {rank_correlation:.2f}, "
            f"{evidence.rank_correlation:.2f} is needed to trust its gradient"
        )
    return None


def require_rate(name: str, value: float) -> None:
    """Refuses a negative learning rate."""
    if not value >= 0.0:
        raise ValueError(f"{name} {value} is negative")


def require_share(name: str, value: float) -> None:
    """Refuses a share outside [0, 1]."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} {value} is outside [0, 1]")


def rank_correlation(values: FloatArray, returns: FloatArray) -> float:
    """Spearman correlation of two arrays (N,); NaN where one of them is constant, or not finite."""
    if not (np.isfinite(values).all() and np.ptp(values) > 0 and np.ptp(returns) > 0):
        return float("nan")
    return float(spearmanr(values, returns).statistic)
