"""An arm that is not there: servos that speak their real wire protocol, with MuJoCo physics behind them."""
