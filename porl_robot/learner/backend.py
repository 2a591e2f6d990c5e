"""How the update runs: eagerly, or compiled in the background while eager updates go on."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable
from typing import Literal

import torch

from porl_robot.learner.state import LearnerState
from porl_robot.learner.update import Coefficients, Losses, Metrics, Noise, update_block
from porl_robot.replay.buffer import Batch

_log = logging.getLogger(__name__)

Update = Callable[[Losses, LearnerState, Batch, Noise, Coefficients, bool], Metrics]


def update_function(backend: Literal["eager", "compile"]) -> Update:
    """`porl_robot.learner.update.update_block` under a backend."""
    return update_block if backend == "eager" else CompiledUpdate()


def compile_update() -> Update:
    """The update as one compiled graph; compiles at its first call for every new shape."""
    # Gradients are taken inside the update, so the graph has to hold them.
    torch._dynamo.config.trace_autograd_ops = True
    torch._inductor.config.compile_threads = 1
    compiled: Update = torch.compile(update_block, fullgraph=True, dynamic=False)
    return compiled


class CompiledUpdate:
    """Runs eagerly until the online update is compiled, then switches between two blocks.

    Only the update with the actor is compiled: the others are few. Any error falls back to eager, logged once. When it
    switches depends on the clock, so that runs are not repeatable bit for bit.
    """

    def __init__(self) -> None:
        self._compiled: Update | None = None
        self._thread: threading.Thread | None = None

    def __call__(
        self,
        losses: Losses,
        state: LearnerState,
        batch: Batch,
        noise: Noise,
        coefficients: Coefficients,
        train_actor: bool,
    ) -> Metrics:
        if train_actor and self._compiled is not None:
            try:
                return self._compiled(losses, state, batch, noise, coefficients, True)
            except Exception:
                _log.warning("the compiled update failed; it goes on eagerly", exc_info=True)
                self._compiled = None
        if train_actor and self._thread is None:
            # The first compiled call writes into the state, so it gets a copy.
            rehearsal = (losses, _copy(state), batch, noise, coefficients, True)
            self._thread = threading.Thread(target=self._compile, args=rehearsal, name="compile", daemon=True)
            self._thread.start()
        return update_block(losses, state, batch, noise, coefficients, train_actor)

    def join(self) -> None:
        """Waits for a compilation under way."""
        if self._thread is not None:
            self._thread.join()

    def _compile(
        self,
        losses: Losses,
        state: LearnerState,
        batch: Batch,
        noise: Noise,
        coefficients: Coefficients,
        train_actor: bool,
    ) -> None:
        try:
            compiled = compile_update()
            compiled(losses, state, batch, noise, coefficients, train_actor)
            self._compiled = compiled
        except Exception:
            _log.warning("compiling the update failed; it goes on eagerly", exc_info=True)


def _copy(state: LearnerState) -> LearnerState:
    duplicate = copy.deepcopy(state)
    for (_, new), (_, old) in zip(duplicate.tensors(), state.tensors(), strict=True):
        new.requires_grad_(old.requires_grad)
    return duplicate
