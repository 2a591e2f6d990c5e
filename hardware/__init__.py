"""Serial-bus arms behind `porl_robot.env.RobotEnv`."""
