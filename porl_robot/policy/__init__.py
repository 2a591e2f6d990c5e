"""The policy: a tanh-Gaussian actor, how it is cloned, stored and run one observation at a time."""
