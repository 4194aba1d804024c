"""Decide what a talking robot shows, from the child's words, in microseconds on the CPU."""

from tinyclf.breaker import Breaker
from tinyclf.capture import Capture
from tinyclf.cascade import Cascade
from tinyclf.classifier import Classifier
from tinyclf.decision import Decision
from tinyclf.errors import BundleError, DataError, InputError, LabelSetError, LlmError, TinyclfError
from tinyclf.labelfile import default_labels, read_labels
from tinyclf.labelset import LabelSet
from tinyclf.turn import Turn

__version__ = "0.1.0"

__all__ = [
    "Breaker",
    "BundleError",
    "Capture",
    "Cascade",
    "Classifier",
    "DataError",
    "Decision",
    "InputError",
    "LabelSet",
    "LabelSetError",
    "LlmError",
    "TinyclfError",
    "Turn",
    "default_labels",
    "read_labels",
]
