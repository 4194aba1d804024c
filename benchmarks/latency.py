"""How long one decision takes, beside the stack's floor and the peers: ``python -m benchmarks.latency``."""

import multiprocessing
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import matplotlib as mpl
import numpy as np
import onnxruntime as ort
import typer
from onnx import TensorProto, helper

from benchmarks.machine import in_words, machine
from benchmarks.peers import FastText, MiniLm, MiniLmFolder
from benchmarks.results import RESULTS, console, write_results
from benchmarks.timing import Call, Times, in_turns, percentiles
from tinyclf import Classifier, Turn, default_labels
from tinyclf.encode import Encoder
from tinyclf.tables import markdown
from training.baseline import TfidfLogistic, marked_text
from training.corpus import authored_splits

mpl.use("agg")
SHORTEST, LONGEST = 12, 20
FLOOR, OURS = "stack floor: encode + Identity", "tinyclf, one decision"


def main(
    count: Annotated[int, typer.Option(help="Calls to each fast system.")] = 20_000,
    minilm: MiniLmFolder = None,
) -> None:
    """Measure latency on this machine and write results/latency.{json,md,png}."""
    host = machine()
    labels = default_labels()
    classifier = Classifier.load()
    splits = authored_splits(labels)
    turns = turns_of_length(classifier, [row.turn for row in splits.test])
    console.print(f"{len(turns)} turns of {SHORTEST} to {LONGEST} tokens; training the peers")
    fast = FastText()
    fast.fit(labels, splits.train + splits.dev, seed=0)
    slow = TfidfLogistic()
    slow.fit(labels, splits.train + splits.dev, seed=0)
    calls: dict[str, Call] = {
        FLOOR: floor(classifier),
        OURS: lambda turn: classifier(turn.utterance, turn.previous, turn.reply),
        fast.name: lambda turn: [model.predict(marked_text(turn)) for model in fast._models.values()],
    }
    times = in_turns(calls, turns, count)
    slower: dict[str, Call] = {slow.name: lambda turn: slow.probabilities([turn])}
    if minilm:
        embedder = MiniLm(minilm)
        embedder.fit(labels, splits.dev, seed=0)
        slower[embedder.name] = lambda turn: embedder.probabilities([turn])
    else:
        slower["MiniLM's shape with random weights, encoder alone"] = minilm_shape()
    times |= in_turns(slower, turns, max(100, count // 100))
    with busy_core():
        saturated = in_turns({OURS: calls[OURS]}, turns, count)[OURS]
    threads = _threads(calls[OURS], turns, 16, count // 16)
    batch = _batch(classifier, turns)
    found: dict[str, Any] = {
        "machine": host,
        "turns": len(turns),
        "alone": {name: percentiles(taken) for name, taken in times.items()},
        "other core saturated": percentiles(saturated),
        "16 threads at once": percentiles(threads),
        "batch, turns per second": batch,
        "ratio to the floor at P50": round(float(np.median(times[OURS]) / np.median(times[FLOOR])), 2),
    }
    write_results("latency", found, _text(found, minilm is not None))
    _plot(times, RESULTS / "latency.png")


def turns_of_length(classifier: Classifier, turns: Sequence[Turn]) -> list[Turn]:
    """The utterances of the wanted length, without ``previous`` and ``reply``."""
    encoder = Encoder(classifier.bundle.tokenizer)
    return [Turn(t.utterance) for t in turns if SHORTEST <= len(encoder(t.utterance)) - 2 <= LONGEST]


def floor(classifier: Classifier) -> Call:
    """Tokenise and run a graph that does nothing: what any student on this stack must pay."""
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "tokens"])
    same = helper.make_tensor_value_info("same", TensorProto.INT64, ["batch", "tokens"])
    graph = helper.make_graph([helper.make_node("Identity", ["ids"], ["same"])], "floor", [ids], [same])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = _single_thread(model.SerializeToString())
    encode = Encoder(classifier.bundle.tokenizer)._encode
    return lambda turn: session.run(["same"], {"ids": np.array([encode(turn.utterance)], dtype=np.int64)})


def minilm_shape() -> Call:
    """An encoder of all-MiniLM-L6-v2's sizes (6 layers, width 384, 12 heads) with random weights, for its time alone.

    It reads 16 token ids; tokenising and the linear head come on top.
    """
    import tempfile

    import torch
    from torch import nn

    layer = nn.TransformerEncoderLayer(384, 12, 1536, activation="gelu", batch_first=True)
    encoder = nn.Sequential(
        nn.Embedding(30522, 384), nn.TransformerEncoder(layer, 6, enable_nested_tensor=False)
    ).eval()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "minilm-shape.onnx"
        torch.onnx.export(encoder, (torch.zeros(1, 16, dtype=torch.int64),), file, input_names=["ids"], dynamo=False)
        session = _single_thread(file.read_bytes())
    ids = np.arange(16, dtype=np.int64)[None]
    return lambda turn: session.run(None, {"ids": ids})


def _single_thread(model: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@contextmanager
def busy_core() -> Iterator[None]:
    """Keep one other core at full load for the while."""
    process = multiprocessing.get_context("spawn").Process(target=_spin, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _spin() -> None:
    while True:
        pass


def _threads(call: Call, turns: Sequence[Turn], threads: int, each: int) -> Times:
    """The times that many threads see when all call at once."""
    taken: list[Times] = []
    start = threading.Barrier(threads)

    def work() -> None:
        start.wait()
        taken.append(in_turns({"": call}, turns, each, blocks=1)[""])

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return np.concatenate(taken)


def _batch(classifier: Classifier, turns: Sequence[Turn], size: int = 1000) -> int:
    many = [turns[i % len(turns)] for i in range(size)]
    classifier.batch(many)
    return round(size / (sum(d.microseconds for d in classifier.batch(many)) / 1e6))


def _text(found: dict[str, Any], with_minilm: bool) -> str:
    keys = list(next(iter(found["alone"].values())))
    rows = [[name, *[figures[key] for key in keys]] for name, figures in found["alone"].items()]
    loaded = ("other core saturated", "16 threads at once")
    rows += [[f"{OURS}, {name}", *[found[name][key] for key in keys]] for name in loaded]
    note = (
        "\nall-MiniLM-L6-v2 itself was not run: its weights were not at hand (`--minilm FOLDER` runs it). The row with "
        "its shape times an encoder of the same sizes with random weights.\n"
    )
    ratio, batch = found["ratio to the floor at P50"], found["batch, turns per second"]
    return "\n".join(
        [
            f"# Latency\n\n{in_words(found['machine'])}",
            f"One turn of {SHORTEST} to {LONGEST} tokens at a time, one thread, the systems in turns within one run; "
            f"microseconds. {found['turns']} distinct turns in rotation. Peers answer every head.\n",
            markdown(["system", *keys], rows),
            f"At P50 a decision takes {ratio} times the stack floor. In batches of 1,000: {batch:,} turns/s.",
            f"{'' if with_minilm else note}\n![latency](latency.png)\n",
        ]
    )


def _plot(times: dict[str, Times], path: Path) -> None:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5))
    for name, taken in times.items():
        ordered = np.sort(taken)
        axes.plot(ordered, 1 - np.arange(len(ordered)) / len(ordered), label=name)
    axes.set(
        xscale="log", yscale="log", xlabel="microseconds", ylabel="share of calls that take longer", ylim=(1e-4, 1)
    )
    axes.axvline(5000, color="black", linestyle=":", label="5 ms")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120, bbox_inches="tight", metadata={"Software": None})


if __name__ == "__main__":
    typer.run(main)
