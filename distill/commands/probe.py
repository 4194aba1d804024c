"""``python -m distill probe``: what a server honours."""

from distill.commands import options, shared
from distill.teacher import Teacher


def probe(
    backend: options.Backend = "vllm",
    url: options.Url = None,
    model: options.Model = "",
    key: options.Key = None,
    labels: options.Labels = None,
    style: options.Style = None,
    shots: options.Shots = None,
    timeout: options.Timeout = 60.0,
    body: options.Body = "",
) -> None:
    """Ask a server what it is and whether it honours log-probabilities or constraints; exit 1 where it does not.

    Example: python -m distill probe --backend vllm --url http://127.0.0.1:8000/v1
    """
    kind = shared.style_for(backend, style)
    teacher = Teacher(
        shared.label_set(labels), backend, model, url=url, key=shared.key_from(key), style=kind, orders=1,
        shots=shots, timeout=timeout, body=shared.body_from(body),
    )  # fmt: skip
    _, findings = teacher.probed()
    shared.describe(findings)
    shared.refuse_unconstrained(findings)
