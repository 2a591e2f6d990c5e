"""One module per verb of the command line. Each has a `run` and says in its docstring what `--help` prints."""
