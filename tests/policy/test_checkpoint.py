import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch_file

from porl_robot.errors import UserError
from porl_robot.files import replace_file
from porl_robot.policy.checkpoint import DESCRIPTION, WEIGHTS, load_policy, save_policy
from porl_robot.policy.inference import PolicyRunner
from porl_robot.policy.spec import Policy


@pytest.fixture
def stored(policy_of, tmp_path):
    """A folder with a good policy."""
    save_policy(policy_of(provenance={"method": "bc", "seed": 3}), tmp_path / "policy")
    return tmp_path / "policy"


def refused(folder, *names):
    """The message of the refusal to load `folder`: one line with the folder and all of `names` in it."""
    with pytest.raises(UserError) as caught:
        load_policy(folder)
    message = str(caught.value)
    assert "\n" not in message
    for name in (str(folder), *names):
        assert name in message
    return message


def describe(folder, **changes):
    """Rewrites the description; a value of `...` removes its key."""
    description = json.loads((folder / DESCRIPTION).read_text()) | changes
    kept = {key: value for key, value in description.items() if value is not ...}
    (folder / DESCRIPTION).write_text(json.dumps(kept))


def reweigh(folder, policy, **changes):
    weights = {name: np.ascontiguousarray(array) for name, array in policy.weights.items()} | changes
    save_file({name: array for name, array in weights.items() if array is not None}, folder / WEIGHTS)


def test_what_is_loaded_is_what_was_saved(policy_of, stored):
    policy, loaded = policy_of(provenance={"method": "bc", "seed": 3}), load_policy(stored)
    assert loaded.spec == policy.spec
    assert loaded.hash == policy.hash
    for name, array in policy.weights.items():
        assert loaded.weights[name].dtype == np.float32
        np.testing.assert_array_equal(loaded.weights[name], array)
    observation = np.linspace(-1, 1, 5, dtype="f4")
    np.testing.assert_array_equal(PolicyRunner(loaded).mode(observation), PolicyRunner(policy).mode(observation))


def test_saving_twice_gives_the_same_bytes_and_leaves_nothing_else(policy_of, tmp_path):
    for name in ("a", "b", "a"):
        save_policy(policy_of(), tmp_path / name)
    for file in (WEIGHTS, DESCRIPTION):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted([WEIGHTS, DESCRIPTION])


def test_policy_of_another_layout_in_memory_round_trips(policy_of, tmp_path):
    policy = policy_of()
    strided = Policy(policy.spec, {name: np.asfortranarray(array) for name, array in policy.weights.items()})
    save_policy(strided, tmp_path)
    assert load_policy(tmp_path).hash == policy.hash


def test_whole_control_rate_given_as_an_integer_round_trips(policy_of, tmp_path):
    policy = policy_of()
    save_policy(Policy(dataclasses.replace(policy.spec, control_hz=20), policy.weights), tmp_path)
    assert load_policy(tmp_path).spec.control_hz == 20.0


def test_folder_without_a_policy(tmp_path):
    refused(tmp_path / "nowhere", DESCRIPTION, "pretrain or finetune")
    refused(tmp_path, DESCRIPTION, "pretrain or finetune")


@pytest.mark.parametrize("text", ["", "{", "[]", "[1]", "3", "null", '"policy"', "{}", "\udcff\udcfe{}"])
def test_description_that_is_none(stored, text):
    (stored / DESCRIPTION).write_bytes(text.encode(errors="surrogateescape"))
    refused(stored, DESCRIPTION)


@pytest.mark.parametrize("version", [0, 2, "1", None, 1.5, "1\n2"])
def test_another_format_version(stored, version):
    describe(stored, format_version=version)
    refused(stored, "format version", "reads 1")


@pytest.mark.parametrize("key", ["env", "observation_size", "action_size", "control_hz", "hidden", "provenance"])
def test_description_that_lacks_a_key(stored, key):
    describe(stored, **{key: ...})
    refused(stored, DESCRIPTION, key)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("observation_size", "many"),
        ("observation_size", None),
        ("action_size", [3]),
        ("control_hz", "fast"),
        ("hidden", 8),
        ("hidden", ["wide"]),
        ("hidden", [None]),
        ("provenance", 5),
        ("provenance", "bc"),
    ],
)
def test_description_with_a_garbled_value(stored, key, value):
    describe(stored, **{key: value})
    refused(stored, DESCRIPTION)


@pytest.mark.parametrize(
    "change",
    [
        {"observation_size": 6},
        {"observation_size": -5},
        {"action_size": 2},
        {"hidden": [8]},
        {"hidden": [8, 6, 6]},
        {"hidden": [6, 8]},
        {"hidden": []},
    ],
)
def test_description_of_other_weights(stored, change):
    describe(stored, **change)
    refused(stored, WEIGHTS, "expected")


@pytest.mark.parametrize(
    "change", [{"env": "arm_push"}, {"control_hz": 10.0}, {"hash": "0" * 64}, {"hash": None}, {"hash": ...}]
)
def test_description_that_does_not_match_the_hash(stored, change):
    describe(stored, **change)
    refused(stored, WEIGHTS, "hash")


def test_missing_weights(stored):
    (stored / WEIGHTS).unlink()
    refused(stored, WEIGHTS, "missing or damaged")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_truncated_weights(stored, share):
    whole = (stored / WEIGHTS).read_bytes()
    (stored / WEIGHTS).write_bytes(whole[: int(share * len(whole))])
    refused(stored, WEIGHTS)
    (stored / WEIGHTS).write_bytes(whole)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_of_the_weights_is_noticed(stored, data):
    whole = (stored / WEIGHTS).read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    place = data.draw(st.one_of(st.integers(0, header - 1), st.integers(0, len(whole) - 1)))
    damaged = bytearray(whole)
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    (stored / WEIGHTS).write_bytes(damaged)
    refused(stored, WEIGHTS)
    (stored / WEIGHTS).write_bytes(whole)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"mean.bias": np.zeros(4, "f4")}, ("mean.bias", "(4,)", "(3,)")),
        ({"mean.bias": None}, ("mean.bias", "None", "(3,)")),
        ({"extra": np.zeros(4, "f4")}, ("extra", "(4,)", "None")),
        ({"layers.1.weight": np.zeros((6, 8), "f4")}, ("layers.1.weight", "(6, 8)", "(8, 6)")),
        ({"mean.bias": np.array([0, np.nan, 0], "f4")}, ("mean.bias", "non-finite")),
        ({"observation.std": np.full(5, np.inf, "f4")}, ("observation.std", "non-finite")),
        ({"mean.bias": np.zeros(3, "f8")}, ()),
        ({"mean.bias": np.zeros(3, "i4")}, ()),
    ],
)
def test_weights_that_are_not_those_described(policy_of, stored, change, names):
    reweigh(stored, policy_of(), **change)
    refused(stored, WEIGHTS, *names)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float8_e4m3fn, torch.float16])
def test_weights_of_a_foreign_number_format(policy_of, stored, kind):
    tensors = {name: torch.tensor(array).to(kind) for name, array in policy_of().weights.items()}
    save_torch_file(tensors, stored / WEIGHTS)
    refused(stored, WEIGHTS)


def test_weights_in_double_precision_with_their_own_hash_are_refused(policy_of, tmp_path):
    policy = policy_of()
    double = Policy(policy.spec, {name: array.astype("f8") for name, array in policy.weights.items()})
    save_policy(double, tmp_path)
    refused(tmp_path, WEIGHTS)


def test_interrupted_replacement_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    replace_file(path, b"old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "no space")))
    with pytest.raises(OSError, match="no space"):
        replace_file(path, b"new and longer")
    assert path.read_bytes() == b"old"
