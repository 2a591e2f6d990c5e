"""Policies made elsewhere: read, wrapped as one face, checked, and turned into the actor that can be fine-tuned."""
