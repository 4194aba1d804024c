"""What an operator may set; plain data, so that it can be sent to worker processes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tinyclf.capture import DEFAULT_DAYS, DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class LlmSettings:
    """Whom to ask where the student is unsure, and how."""

    backend: str
    model: str = ""
    url: str | None = None
    style: Literal["letter", "json"] = "letter"
    shots: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything about one service. ``deadline``, ``open_for``, ``drain`` and ``watch`` in seconds, limits in bytes."""

    bundle: Path | None = None
    point: str = "balanced"
    keys: tuple[bytes, ...] = ()
    max_body: int = 1 << 20
    max_turns: int = 256
    max_in_flight: int = 256
    llm: LlmSettings | None = None
    hedge: LlmSettings | None = None
    deadline: float = 0.05
    llm_in_flight: int = 4
    failure_rate: float = 0.5
    open_for: float = 5.0
    capture: Path | None = None
    capture_limit: int = DEFAULT_LIMIT
    capture_days: float = DEFAULT_DAYS
    watch: float = 1.0
    drain: float = 1.0
