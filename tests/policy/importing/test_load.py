"""Every kind of file is told by its content and acts as the policy it was made from; what is none is refused."""

import dataclasses
import io
import pickle
import warnings
import zipfile

import numpy as np
import pytest
import torch

from porl_robot.errors import UserError
from porl_robot.policy.importing.declaration import Network

from .conftest import LAYERS

STATISTICS = Network(observation_mean="mean", observation_std="std")


def expected(actor, observations):
    with torch.no_grad():
        return actor(torch.from_numpy(observations)).numpy()


@pytest.mark.parametrize("kind", ["torchscript", "export", "onnx", "state_dict"])
@pytest.mark.filterwarnings("ignore")
def test_a_file_acts_as_what_was_saved(actor, save, source_of, observations, tmp_path, kind):
    source = source_of(save(actor, kind, tmp_path).rename(tmp_path / f"p.{'onnx' if kind == 'onnx' else 'bin'}"),
                       network=STATISTICS)  # fmt: skip
    assert source.raw.kind == kind
    given = np.stack([source.act(each) for each in observations])
    np.testing.assert_allclose(given, expected(actor, observations), atol=2e-6)


@pytest.mark.parametrize("name", ["sac", "td3", "ppo"])
def test_a_zip_acts_as_the_package_predicts(source_of, sb3, name):
    held = np.load(sb3 / "predicted.npz")
    source = source_of(sb3 / f"{name}.zip", (18, 4))
    given = np.stack([source.act(each) for each in held["observations"]])
    np.testing.assert_allclose(given, held[name], atol=2e-6)


def test_statistics_of_vec_normalize_are_read_without_unpickling(source_of, sb3):
    held = np.load(sb3 / "predicted.npz")
    statistics = source_of(sb3 / "sac.zip", (18, 4), normalisation=str(sb3 / "vecnormalize.pkl")).statistics
    seen = statistics.normalised(held["observations"])
    np.testing.assert_allclose(seen, held["normalised"], atol=1e-5)


@pytest.mark.parametrize("code", [
    "def policy(o): return np.tanh(o[:3])",
    "class policy:\n  def __call__(self, o): return np.tanh(o[:3]), 'state'",
    "class policy(torch.nn.Module):\n  def forward(self, o): return torch.tanh(o[:, :3])",
    "class Holder:\n  def act(self, o): return list(np.tanh(o[:3]))\nclass policy(Holder): __call__ = Holder.act",
])  # fmt: skip
def test_callables_of_every_form(callable_source, observations, code):
    source = callable_source(code)
    np.testing.assert_allclose(source.act(observations[0]), np.tanh(observations[0, :3]), rtol=1e-6)


def test_a_file_finds_what_lies_beside_it_then_and_later(tmp_path, callable_source, observations):
    (tmp_path / "beside_it.py").write_text("def head(o): return o[:3]\n")
    (tmp_path / "later_on.py").write_text("import numpy as np\n")
    lines = ["from dataclasses import dataclass", "from beside_it import head", "@dataclass", "class policy:",
             "  scale: 'float' = 1.0", "  def __call__(self, o):", "    import later_on",
             "    return self.scale * later_on.np.tanh(head(o))"]  # fmt: skip
    source = callable_source("\n".join(lines))
    np.testing.assert_allclose(source.act(observations[0]), np.tanh(observations[0, :3]), rtol=1e-6)


def test_a_callable_from_an_installed_module(source_of, observations):
    assert source_of("numpy:cos", (3, 3)).act(observations[0, :3]) == pytest.approx(np.cos(observations[0, :3]))


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('ran')",))


def test_nothing_pickled_runs(source_of, actor, save, tmp_path, sb3):
    torch.save({"a": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(UserError, match="cannot be loaded as tensors only"):
        source_of(tmp_path / "trap.pth")
    trap = io.BytesIO()
    torch.save(Trap(), trap)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = save(actor, "export", tmp_path)
    for source, member, refused in (
        (program, "sample_inputs/model.pt", "not a program of torch.export that can be loaded safely"),
        (sb3 / "sac.zip", "policy.pth", "not a model saved by Stable-Baselines3"),
    ):
        with zipfile.ZipFile(source) as given, zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
            assert any(name.endswith(member) for name in given.namelist())
            for name in given.namelist():
                archive.writestr(name, trap.getvalue() if name.endswith(member) else given.read(name))
        with pytest.raises(UserError, match=refused):
            source_of(tmp_path / "bad.zip")
    (tmp_path / "trap.pkl").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UserError, match="holds no mean and std of observations"):
        source_of(sb3 / "sac.zip", (18, 4), normalisation=str(tmp_path / "trap.pkl"))


def test_python_objects_in_a_program_are_refused(source_of, tmp_path):
    with zipfile.ZipFile(tmp_path / "p.pt2", "w") as archive:
        archive.writestr("p/archive_format", "pt2")
        archive.writestr("p/data/constants/opaque_obj_0", pickle.dumps(Trap()))
    with pytest.raises(UserError, match="holds Python objects beside its weights, which are not loaded"):
        source_of(tmp_path / "p.pt2")


def test_a_kind_that_the_file_is_not(source_of, actor, save, tmp_path):
    path = save(actor, "state_dict", tmp_path)
    for kind, says in {
        "torchscript": "is not a TorchScript module; expected a file from torch.jit.save",
        "export": "is not a program of torch.export",
        "onnx": "is not an ONNX graph that onnxruntime can run",
        "sb3": "is not a model saved by Stable-Baselines3",
        "callable": "expected package.module:attribute or path/to/file.py:attribute",
    }.items():
        with pytest.raises(UserError, match=says):
            source_of(path, kind=kind)


@pytest.mark.parametrize(("place", "says"), [
    ("none.onnx", "there is no such file"),
    ("none.py:policy", r"cannot be imported \(FileNotFoundError"),
    ("numpy:nothing", r"cannot be imported \(AttributeError"),
    ("ends.py:policy", r"cannot be imported \(SystemExit: no\)"),
    ("math:pi", "is a float; expected something to call"),
    ("odd.txt", "is of no kind that can be told; give kind=torchscript or export or onnx"),
])  # fmt: skip
def test_places_that_hold_no_policy(source_of, tmp_path, monkeypatch, place, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.txt").write_text("odd")
    (tmp_path / "ends.py").write_text("raise SystemExit('no')")
    with pytest.raises(UserError, match=says):
        source_of(place)


def test_gsde_is_refused(source_of, sb3):
    with pytest.raises(UserError, match="it explores by gSDE, which is not read; export its actor"):
        source_of(sb3 / "sde.zip", (18, 4))


@pytest.mark.parametrize(("network", "says"), [
    ({"layers": ["trunk.0", "nose"]}, "holds no linear layer nose; there are trunk.0, trunk.2, head"),
    ({"layers": ["head", "trunk.0"]}, "layer trunk.0 takes 6 numbers, the one before it gives 3"),
    ({"layers": LAYERS, "observation_mean": "x", "observation_std": "std"}, "holds no tensor observation_mean=x"),
    ({"layers": LAYERS, "log_std": "mean"}, "log_std=mean has 6 numbers; expected 1, or 3 for as many actions"),
    ({"layers": LAYERS, "log_std": "trunk.0"}, "log_std=trunk.0 makes 12 numbers of 6; expected 3 of the 12"),
])  # fmt: skip
def test_state_dicts_without_what_is_declared(source_of, actor, save, tmp_path, network, says):
    with pytest.raises(UserError, match=says):
        source_of(save(actor, "state_dict", tmp_path), network=Network(**network))


def test_what_no_layer_uses_is_not_left_out_in_silence(source_of, actor, save, tmp_path):
    with pytest.raises(UserError, match=r"mean, std: no part of a linear layer; declare what they are .*TorchScript"):
        source_of(save(actor, "state_dict", tmp_path))
    linear, normalising = torch.nn.Linear, torch.nn.LayerNorm(8)
    normalised = torch.nn.Sequential(linear(6, 8), normalising, torch.nn.ReLU(), linear(8, 3))
    torch.save(normalised.state_dict(), tmp_path / "p.pth")
    with pytest.raises(UserError, match=r"1\.weight, 1\.bias: no part of a linear layer"):
        source_of(tmp_path / "p.pth")


@pytest.mark.parametrize("content", [b"hello", b"version https://git-lfs", b"", b"\x80\x02}q\x00."])
def test_bytes_that_are_no_tensors_are_refused(source_of, tmp_path, content):
    (tmp_path / "p.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"p\.pth: ") as error:
        source_of(tmp_path / "p.pth")
    assert "\n" not in str(error.value)


def test_a_log_std_that_is_not_finite_is_refused(source_of, bare, actor, tmp_path):
    torch.save({**actor.state_dict(), "spread": torch.tensor([0.0, np.nan, 0.0])}, tmp_path / "p.pth")
    with pytest.raises(UserError, match="log_std=spread is not finite"):
        source_of(tmp_path / "p.pth", network=dataclasses.replace(bare, log_std="spread"))


def test_statistics_of_half_precision_are_read(source_of, actor, observations, tmp_path):
    halves = {name: tensor.bfloat16() for name, tensor in actor.state_dict().items() if name in ("mean", "std")}
    torch.save({**actor.state_dict(), **halves}, tmp_path / "p.pth")
    source = source_of(tmp_path / "p.pth", network=STATISTICS)
    np.testing.assert_allclose(source.act(observations[0]), expected(actor, observations)[0], atol=0.05)


@pytest.mark.parametrize(("network", "says"), [
    ({"activation": "cosine"}, "activation=cosine: expected relu or tanh or"),
    ({"output": "relu"}, "output=relu: expected tanh or linear or clip"),
    ({"observation_mean": "mean"}, "observation_mean and observation_std: give both or neither"),
])  # fmt: skip
def test_declarations_that_cannot_be(network, says):
    with pytest.raises(ValueError, match=says):
        Network(**network)


def test_statistics_from_plain_files(source_of, bare, actor, save, tmp_path, observations):
    path = save(actor, "state_dict", tmp_path)
    mean, std = actor.mean.numpy(), actor.std.numpy()
    np.savez(tmp_path / "s.npz", mean=mean, std=std)
    (tmp_path / "s.json").write_text(f'{{"mean": {mean.tolist()}, "std": {std.tolist()}}}')
    for name in ("s.npz", "s.json"):
        source = source_of(path, normalisation=str(tmp_path / name), network=bare)
        np.testing.assert_allclose(source.act(observations[0]), expected(actor, observations)[0], atol=1e-5)
    whole = (tmp_path / "s.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"cut\.npz: holds no mean and std of observations"):
        source_of(path, normalisation=str(tmp_path / "cut.npz"), network=bare)
    (tmp_path / "s.json").write_text('{"mean": [1], "std": [0]}')
    with pytest.raises(UserError, match="mean and std must be finite and std positive"):
        source_of(path, normalisation=str(tmp_path / "s.json"), network=bare)
    with pytest.raises(UserError, match=r"expected an .npz or .json with mean and std"):
        source_of(path, normalisation="s.csv", network=bare)
