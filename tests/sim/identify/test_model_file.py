"""One file says all of an identified model, and nothing else of it changes."""

from __future__ import annotations

import numpy as np
import pytest

from porl_robot.errors import UserError
from porl_robot.kinematics import ArmKinematics
from porl_robot.paths import data_dir
from sim.identify.drive import numeric
from sim.identify.model_file import ModelFile

MODELS = data_dir("configs") / "robot" / "models"


def opened(name):
    path = MODELS / f"{name}.xml"
    return ModelFile(path, ArmKinematics(path).names)


@pytest.mark.parametrize("name", ["so101", "light"])
def test_the_copy_says_what_was_fitted(name, tmp_path):
    original, path = opened(name), tmp_path / "model.xml"
    assert (original.parameters[:, [0, 4]] == 0.0).all()
    fitted = original.parameters * np.random.default_rng(0).uniform(0.5, 2.0, original.parameters.shape)
    fitted[:, 0], fitted[:, 4] = 0.0213, np.linspace(0.0, 0.02, len(fitted))
    original.write(path, fitted, "a recording")
    copy = ModelFile(path, ArmKinematics(path).names)
    assert copy.parameters == pytest.approx(fitted, rel=1e-5, abs=1e-9)
    assert numeric(copy.model, "delay") == pytest.approx(0.0213)
    assert "a recording" in path.read_text()


@pytest.mark.parametrize("name", ["so101", "light"])
def test_all_else_stays(name, tmp_path):
    original, path = opened(name), tmp_path / "model.xml"
    fitted = original.parameters + 0.01
    original.write(path, fitted, "a recording")
    copy = ModelFile(path, ArmKinematics(path).names)
    for field in ("body_mass", "body_inertia", "body_pos", "geom_size", "jnt_range", "dof_armature", "key_qpos",
                  "actuator_forcerange", "jnt_solimp", "dof_solimp"):  # fmt: skip
        assert getattr(copy.model, field) == pytest.approx(getattr(original.model, field), rel=1e-4, abs=1e-7), field
    assert copy.model.opt.timestep == original.model.opt.timestep
    arm, before = ArmKinematics(path), ArmKinematics(original.path)
    assert np.array(arm.workspace) == pytest.approx(np.array(before.workspace))
    assert arm.tool_position(arm.rest) == pytest.approx(before.tool_position(before.rest), abs=1e-5)


def test_an_identified_model_is_identified_again(tmp_path):
    first, second = tmp_path / "first.xml", tmp_path / "second.xml"
    original = opened("light")
    original.write(first, original.parameters + 0.01, "one")
    again = ModelFile(first, ArmKinematics(first).names)
    again.write(second, again.parameters + 0.01, "two")
    assert ModelFile(second, ArmKinematics(second).names).parameters == pytest.approx(
        original.parameters + 0.02, abs=1e-4
    )
    assert second.read_text().count('<numeric name="delay"') == 1
    assert "two" in second.read_text() and "one" not in second.read_text().split("worldbody")[0].split("custom")[1]


def test_meshes_are_found_from_where_the_copy_lies(tmp_path):
    (tmp_path / "from" / "parts").mkdir(parents=True)
    (tmp_path / "to").mkdir()
    corners = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    faces = ["1 3 2", "1 2 4", "1 4 3", "2 3 4"]
    lines = [f"v {x / 9} {y / 9} {z / 9}" for x, y, z in corners] + [f"f {face}" for face in faces]
    (tmp_path / "from" / "parts" / "horn.obj").write_text("\n".join(lines))
    source = tmp_path / "from" / "arm.xml"
    source.write_text(
        '<mujoco><compiler meshdir="parts"/><asset><mesh name="horn" file="horn.obj"/></asset><worldbody><body>'
        '<joint name="a"/><geom type="mesh" mesh="horn"/></body></worldbody>'
        '<actuator><position name="a" joint="a" kp="3"/></actuator></mujoco>'
    )
    model = ModelFile(source, ("a",))
    model.write(tmp_path / "to" / "arm.xml", model.parameters + 0.1, "a recording")
    assert ModelFile(tmp_path / "to" / "arm.xml", ("a",)).parameters == pytest.approx(model.parameters + 0.1)


SERVO = '<actuator><position name="a" joint="a"/></actuator>'
WORLD = '<mujoco><worldbody><body><joint name="a" type="{0}"/><geom size=".1"/></body></worldbody>{1}</mujoco>'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "XML parse error"),
        (WORLD.format("slide", SERVO), "has no hinge 'a'"),
        (WORLD.format("hinge", ""), "has no position actuator 'a'"),
        (WORLD.format("hinge", '<actuator><motor name="a" joint="a"/></actuator>'), "has no position actuator 'a'"),
        (
            WORLD.format("hinge", SERVO + '<custom><numeric name="delay" data="1 2"/></custom>'),
            "numeric 'delay' is [1.0, 2.0]; expected 1 values",
        ),
    ],
)
def test_what_is_no_model_of_the_arm_is_refused(tmp_path, content, says):
    path = tmp_path / "arm.xml"
    path.write_text(content)
    with pytest.raises(UserError) as error:
        ModelFile(path, ("a",))
    assert str(error.value).startswith(f"robot.model {path}: ")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_what_works_against_the_speed_is_shared_as_before(tmp_path):
    original, path = opened("light"), tmp_path / "model.xml"
    assert original.parameters[0, 2] == pytest.approx(0.041 + 0.15)
    fitted = original.parameters * np.array([1.0, 1.0, 0.5, 1.0, 1.0])
    original.write(path, fitted, "a recording")
    copy = ModelFile(path, ArmKinematics(path).names).model
    assert copy.dof_damping == pytest.approx(0.5 * original.model.dof_damping, rel=1e-5)
    assert copy.actuator_biasprm[:, 2] == pytest.approx(0.5 * original.model.actuator_biasprm[:, 2], rel=1e-5)
