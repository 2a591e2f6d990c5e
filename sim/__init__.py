"""Simulated robots behind `porl_robot.env.RobotEnv`: the own MuJoCo arm and adapters to other suites."""
