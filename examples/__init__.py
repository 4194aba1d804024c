"""Whole programs to read, run and copy: ``python -m examples.robot_turn --help``."""
