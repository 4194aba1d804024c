"""Python's garbage collector, kept from stopping a service for milliseconds."""

import gc

EVERY = 5_000
"""Allocations between two looks for garbage; Python's 700 would come every few requests, and find nothing."""


def settle() -> None:
    """Collect now, and never look again through what is there: it lives as long as the process.

    To be called when something large has come to stay, as modules that an LLM's client imports with its first call.
    """
    gc.set_threshold(EVERY)
    gc.collect()
    gc.freeze()
