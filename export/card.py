"""The model card: what the bundle is, how good it is, where it ends. Generated, never edited."""

from collections.abc import Mapping, Sequence
from typing import Any

from tinyclf import LabelSet
from tinyclf.labelset import as_tuple
from tinyclf.tables import markdown
from tinyclf.turn import SEGMENTS
from training.report import slice_header, slice_rows

FRONT = """---
library_name: tinyclf
license: apache-2.0
pipeline_tag: text-classification
tags: [tinyclf, onnx, text-classification]
---
"""


def model_card(labels: LabelSet, manifest: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    model, provenance = manifest["model"], manifest["provenance"]
    return "\n".join(
        [
            FRONT,
            f"# {labels.name}: a tinyclf student\n",
            labels.description.strip() + "\n",
            f"A {model['architecture']} with {model['vocabulary']} pieces and {model['filters']} filters, "
            f"{model['precision']} tables; {model['bytes'] / 1e6:.1f} MB. Ids in, probabilities per head out; runs in "
            "onnxruntime on one CPU thread.\n",
            "## Use\n",
            "```python\nfrom tinyclf import Classifier\n\nclf = Classifier.load(PATH)\nclf(TEXT).to_json()\n```\n",
            "## Answers\n",
            *(_head(labels, i) for i in range(len(labels.heads))),
            "## Examples from the label set\n",
            _examples(labels),
            "## Figures\n",
            f"On the {manifest['metrics']['test_rows']} rows of the test split (families that training never saw). "
            "The last columns count guarded mistakes. They were measured on the torch student; parity "
            "keeps this file's probabilities close to it.\n",
            *(_point(name, manifest) for name in manifest["operating_points"]),
            *(["## Lineage\n", _lineage(manifest["lineage"])] if manifest.get("lineage") else []),
            "## Where it ends\n",
            "- The figures above come from rows of the same making as the training rows; other speakers, topics and "
            "recognisers will do worse. Have a teacher relabel your own logs (`python -m distill label`) and train on "
            "them before you rely on it.\n"
            "- An answer that needs knowledge of the world (was the quiz answer right?) is beyond a model of this size "
            "unless the robot's `reply` tells.\n"
            "- Text in other languages or scripts is answered with the default decision or a guess; watch `sure`.\n",
            "## Made from\n",
            markdown(["what", "value"], [[key, f"`{value}`"] for key, value in provenance.items()]),
        ]
    )


def _head(labels: LabelSet, index: int) -> str:
    head = labels.heads[index]
    rows = [[cls.name, cls.definition] for cls in head.classes]
    return f"**{head.name}** ({head.kind}): {head.question}\n\n" + markdown(["class", "meaning"], rows)


def _examples(labels: LabelSet) -> str:
    rows = [
        [
            *(getattr(example.turn, segment) for segment in SEGMENTS),
            *(str(example.labels.get(h.name, "")) for h in labels.heads),
        ]
        for example in labels.examples
    ]
    return markdown([*SEGMENTS, *(head.name for head in labels.heads)], rows)


def _point(name: str, manifest: Mapping[str, Any]) -> str:
    text, point = f"### Operating point `{name}`\n\n", manifest["operating_points"][name]
    for guard in manifest["label_set"].get("guards", []):
        limit = point.get("limits", {}).get(guard["name"], 1)
        if limit < 1:
            never, when = _classes(guard["never"]), _classes(guard["when"])
            text += f"{never} only while it is at most {limit:.2%} probable that {when}.\n\n"
    for guard, promise in point["promise"].items():
        held = "holds" if promise["holds"] else "**is not reached**"
        few = (
            "" if promise["holds"] else f" (it needs at least {promise['families_needed']} families without a mistake)"
        )
        text += (
            f"{guard}: in {promise['mistakes']} of {promise['families']} families of such turns in the calibration "
            f"split; with {promise['confidence']:.0%} confidence at most {promise['upper_bound']:.2%}. The wanted "
            f"bound of {promise['wanted']:.1%} {held}{few}.\n\n"
        )
    metrics = manifest["metrics"]["test"].get(name)
    return text + (markdown(slice_header(metrics), slice_rows(metrics)) if metrics else "")


def _classes(table: Mapping[str, Any]) -> str:
    """Classes as a label set names them: ``head`` is ``this`` or ``that``."""
    said = {head: " or ".join(f"`{name}`" for name in as_tuple(names)) for head, names in table.items()}
    return " and ".join(f"`{head}` is {names}" for head, names in said.items())


def _lineage(lineage: Sequence[Mapping[str, Any]]) -> str:
    """The bundles that this one descends from, and how each was compared with the one that replaced it."""
    rows = []
    for entry in lineage:
        comparison = entry["comparison"]
        right = comparison["all_heads_right"]
        mistakes = comparison["guarded_mistakes"].items()
        rows.append(
            [
                f"`{entry['manifest_sha256'][:12]}` {entry['name']}",
                comparison["verdict"],
                f"{right['old']} → {right['new']} of {comparison['rows']}, p = {right['p']:.2g}",
                "; ".join(f"{name} {count['old']} → {count['new']}" for name, count in mistakes),
            ]
        )
    header = ["replaced, oldest first", "what came after it is", "all heads right", "guarded mistakes"]
    return "Each bundle was compared with its successor on gold rows before it was replaced.\n\n" + markdown(
        header, rows
    )
