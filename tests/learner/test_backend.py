"""The compiled update is the eager one, and comes in between two blocks without anybody noticing."""

import logging
import threading

import pytest
import torch

from porl_robot.learner import backend
from porl_robot.learner.backend import CompiledUpdate, compile_update, update_function
from porl_robot.learner.update import update_block
from porl_robot.methods.actor_losses import SoftActorCritic
from porl_robot.methods.anchors import ModeDistance
from porl_robot.methods.schedules import Constant


def distance(state, other, group):
    """Euclidean, relative to the length of `other`'s group."""
    pairs = [
        (a, b) for (name, a), (_, b) in zip(state.tensors(), other.tensors(), strict=True) if name.startswith(group)
    ]
    gap = torch.cat([(a - b).detach().flatten() for a, b in pairs]).norm()
    return (gap / torch.cat([b.detach().flatten() for _, b in pairs]).norm()).item()


def test_eager_is_the_update_itself():
    assert update_function("eager") is update_block
    assert isinstance(update_function("compile"), CompiledUpdate)


@pytest.mark.slow
@pytest.mark.parametrize("anchored", [False, True])
def test_compiled_equals_eager(learner_of, method_of, anchored):
    loss = SoftActorCritic("mean", ModeDistance(Constant(3.0)) if anchored else None)
    eager, compiled = (learner_of(method=method_of(actor_loss=loss)) for _ in range(2))
    compiled._update = compile_update()
    tolerances = {1: 1e-5, 50: 1e-3}
    for block in range(1, 51):
        metrics, expected = compiled.block(60, block), eager.block(60, block)
        if block in tolerances:
            for group in ("actor.", "critics.", "targets.", "temperature."):
                assert distance(compiled.state, eager.state, group) < tolerances[block], (block, group)
            assert metrics.keys() == expected.keys()
            for name, value in metrics.items():
                assert value.item() == pytest.approx(expected[name].item(), rel=100 * tolerances[block], abs=1e-4)
    assert distance(eager.state, learner_of(method=method_of(actor_loss=loss)).state, "critics.") > 0.01


@pytest.mark.slow
def test_compiled_update_takes_over_in_the_background(learner_of):
    torch._dynamo.reset()  # or the graph of an earlier test would be used
    eager, switching = learner_of(), learner_of(backend="compile")
    for learner in (eager, switching):
        learner.block(60, None)
        learner.block(60, 1)
    assert isinstance(switching._update, CompiledUpdate)
    # The rehearsal in the background may not leave a trace in the state.
    switching._update.join()
    assert distance(switching.state, eager.state, "") == 0.0
    assert switching._update._compiled is not None
    calls = []
    compiled = switching._update._compiled
    switching._update._compiled = lambda *arguments: (calls.append(1), compiled(*arguments))[1]
    outcome = []

    def learn():
        # As in a run: another thread than the one that compiled.
        for step in range(2, 12):
            switching.block(60, step)
        outcome.append(switching.block(60, None))

    learning = threading.Thread(target=learn, daemon=True)
    learning.start()
    learning.join(300.0)
    assert outcome
    for step in range(2, 12):
        eager.block(60, step)
    eager.block(60, None)
    assert len(calls) == 10, "frozen blocks stay eager, all others are compiled"
    for group in ("actor.", "critics.", "targets.", "temperature."):
        assert distance(switching.state, eager.state, group) < 1e-3


def test_compilation_that_fails_leaves_it_eager_and_says_so_once(learner_of, monkeypatch, caplog):
    def broken():
        raise RuntimeError("no compiler")

    monkeypatch.setattr(backend, "compile_update", broken)
    eager, falling_back = learner_of(), learner_of(backend="compile")
    with caplog.at_level(logging.WARNING, logger=backend.__name__):
        for step in range(3):
            eager.block(60, step)
            falling_back.block(60, step)
            falling_back._update.join()
    assert len(caplog.records) == 1 and "eagerly" in caplog.text
    assert distance(falling_back.state, eager.state, "") == 0.0


def test_compiled_update_that_fails_later_falls_back_too(learner_of, monkeypatch, caplog):
    """For instance a batch of another shape, which compiles anew at its first call."""
    rehearsed = []

    def fragile():
        def update(*arguments):
            if rehearsed:
                raise RuntimeError("out of memory while compiling anew")
            rehearsed.append(1)

        return update

    monkeypatch.setattr(backend, "compile_update", fragile)
    eager, falling_back = learner_of(), learner_of(backend="compile")
    for step in range(3):
        eager.block(60, step)
        falling_back.block(60, step)
        falling_back._update.join()
    assert distance(falling_back.state, eager.state, "") == 0.0


def test_rehearsal_has_a_state_of_its_own(learner_of, monkeypatch):
    """The learner goes on while the copy is being updated."""
    seen = []
    monkeypatch.setattr(backend, "compile_update", lambda: lambda losses, state, *rest: seen.append(state))
    learner = learner_of(backend="compile")
    learner.block(60, 1)
    learner._update.join()
    (state,) = seen
    for (name, copy), (_, own) in zip(state.tensors(), learner.state.tensors(), strict=True):
        assert copy.data_ptr() != own.data_ptr(), name
        assert copy.requires_grad == own.requires_grad and copy.is_leaf == own.is_leaf, name
