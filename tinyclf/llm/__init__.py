"""The LLM path: one labeller for offline jobs and for the moments when the student is unsure (extra ``llm``)."""

from tinyclf.llm.answer import Answer
from tinyclf.llm.backends import BACKENDS, Backend
from tinyclf.llm.labeller import Labeller
from tinyclf.llm.probe import Findings, probe

__all__ = ["BACKENDS", "Answer", "Backend", "Findings", "Labeller", "probe"]
