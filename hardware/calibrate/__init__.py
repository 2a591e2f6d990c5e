"""Calibrating an arm: swept by hand, checked, written, stored."""
