"""Measure what the README claims, and write it to results/."""
