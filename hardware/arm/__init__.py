"""The driver: an arm in radians over a bus of servos."""
