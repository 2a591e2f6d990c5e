"""The durable log of every step, and the buffer a learner samples from."""
