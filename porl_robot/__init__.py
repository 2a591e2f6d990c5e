"""porl_robot: fine-tunes a robot policy by acting, in simulation and on real arms."""

__version__ = "0.1.0"
