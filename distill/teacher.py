"""A teacher, described: which model on which server, asked how. Unlike a labeller it can be sent to other processes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from tinyclf import LabelSet
from tinyclf.llm import BACKENDS, Findings, Labeller, probe
from tinyclf.llm.labeller import Style


@dataclass(frozen=True, slots=True)
class Teacher:
    """All that ``Labeller`` takes. ``revision`` is the user's word for the model's version; no server tells it.

    ``server``, ``prompt_sha256`` and ``token_ids`` are known once it is ``probed``.
    """

    labels: LabelSet
    backend: str
    model: str = ""
    revision: str = ""
    url: str | None = None
    key: str | None = None
    style: Style = "letter"
    orders: int = 2
    shots: int | None = None
    together: bool = True
    timeout: float = 60.0
    server: str = ""
    prompt_sha256: str = ""
    token_ids: Mapping[int, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    def labeller(self) -> Labeller:
        """A labeller of this teacher, for one event loop."""
        return Labeller(
            self.labels, BACKENDS[self.backend], self.model, url=self.url, key=self.key, style=self.style,
            order_count=self.orders, together=self.together, shots=self.shots, timeout=self.timeout,
            server=self.server, token_ids=self.token_ids, body=self.body,
        )  # fmt: skip

    def probed(self) -> tuple[Self, Findings]:
        """The teacher as its server really is, and what was found; ``LlmError`` when it lacks what it needs."""
        return asyncio.run(self._probed())

    async def _probed(self) -> tuple[Self, Findings]:
        async with self.labeller() as labeller:
            findings = await probe(labeller)
            probed = replace(
                self, model=findings.model, server=findings.server, prompt_sha256=labeller.prompt_sha256,
                token_ids=labeller.token_ids,
            )  # fmt: skip
            return probed, findings
