"""How long a comparison is said to take."""

import pytest

from porl_robot.verbs import cells
from porl_robot.verbs.compose import load
from porl_robot.verbs.estimate import Costs, ends


def test_costs_are_corrected_by_the_nearest_finished_commands(tmp_path):
    config = load("compare", ["methods=[porl,sac_naive]", "seeds=[0,1]", f"out={tmp_path}"])
    planned = {str(cell): cell.run for cell in cells.plan(config)}
    reach, lift = planned["arm_reach porl seed 0"], planned["arm_lift porl seed 0"]
    costs = Costs()
    stored = {name: costs.seconds(step) for name, step in planned.items()}
    costs.learn(reach, 2.0 * stored["arm_reach porl seed 0"] - 5.0)
    assert costs.seconds(planned["arm_reach porl seed 1"]) == pytest.approx(2.0 * stored["arm_reach porl seed 1"])
    assert costs.seconds(planned["arm_lift sac_naive seed 1"]) == pytest.approx(
        2.0 * stored["arm_lift sac_naive seed 1"]
    )
    costs.learn(lift, 3.0 * stored["arm_lift porl seed 0"] - 5.0)
    assert costs.seconds(planned["arm_lift sac_naive seed 1"]) == pytest.approx(
        3.0 * stored["arm_lift sac_naive seed 1"]
    )
    assert costs.seconds(planned["arm_reach sac_naive seed 1"]) == pytest.approx(
        2.0 * stored["arm_reach sac_naive seed 1"]
    )


def test_chains_end_when_a_place_is_free_and_shared_inputs_count_once(tmp_path):
    config = load("compare", ["methods=[porl,sac_naive]", "envs=[arm_reach]", "seeds=[0]", f"out={tmp_path}"])
    first, other = (cell.steps for cell in cells.plan(config))
    costs = Costs()
    alone, run_alone = sum(map(costs.seconds, first)), costs.seconds(other[-1])
    assert ends([first, other], 1, costs, {}) == pytest.approx([alone, alone + run_alone])
    assert ends([first, other], 2, costs, {}) == pytest.approx([alone, run_alone])
    spent = {first[0].out: 2.0, first[1].out: 1e9}
    assert ends([first], 1, costs, spent) == pytest.approx([alone - 2.0 - costs.seconds(first[1])])
