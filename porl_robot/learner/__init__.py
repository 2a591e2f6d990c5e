"""The background learner: the update, its pace, its thread, and the snapshots it publishes."""
