"""The ONNX graph: ids in, one row of probabilities per head out; softmax, sigmoid and temperature inside.

Written node by node because every node costs about a microsecond, which is what the runtime is made of.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.fold import Dense, Folded, block_embedding
from export.quantise import Precision, Table, quantise
from tinyclf import LabelSet
from tinyclf.classifier import INPUT
from training.student import CLOSED, TAPS, CnnStudent

OPSET, IR = 17, 8


class Graph:
    """Collects nodes and constants; ``model`` closes it."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, out: str, **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        self._nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def split(self, source: str, sizes: list[int], to: list[str]) -> None:
        """Split the last axis."""
        self._nodes.append(helper.make_node("Split", [source, self.constant("sizes", np.array(sizes))], to, axis=1))

    def constant(self, name: str, value: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> str:
        """Add a constant and return its name."""
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def model(self, labels: LabelSet) -> bytes:
        """The finished, checked model."""
        ids = helper.make_tensor_value_info(INPUT, TensorProto.INT64, ["batch", "tokens"])
        outputs = [
            helper.make_tensor_value_info(head.name, TensorProto.FLOAT, ["batch", len(head.names)])
            for head in labels.heads
        ]
        graph = helper.make_graph(self._nodes, "student", [ids], outputs, self._constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="tinyclf"
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())


def folded_graph(folded: Folded, labels: LabelSet, precision: Precision = "float32") -> bytes:
    """The graph of a folded student: look up, add, pool, two dense layers."""
    graph = Graph()
    table, hidden = quantise(folded, precision)
    looked_up = graph.add("Gather", graph.constant("table", table), INPUT, out="looked_up")
    if table.dtype != np.float32:
        looked_up = graph.add("Cast", looked_up, out="as_float", to=TensorProto.FLOAT)
    features = (
        _pooled_mean(graph, looked_up, table) if folded.architecture == "mlp" else _pooled_max(graph, looked_up, table)
    )
    _dense(graph, features, hidden, folded.heads, labels)
    return graph.model(labels)


def conv_graph(student: CnnStudent, folded: Folded, labels: LabelSet) -> bytes:
    """The same cnn with its convolution left as a Conv node: the yardstick for folding."""
    graph = Graph()
    taps = student.taps.detach().numpy()
    weight = np.concatenate([*taps, np.zeros_like(taps[0, :, :1])], axis=1)
    weight[:, -1, TAPS // 2] = CLOSED
    graph.add("Gather", graph.constant("embedding", block_embedding(student)), INPUT, out="embedded")
    graph.add("Transpose", "embedded", out="columns", perm=[0, 2, 1])
    weight_name = graph.constant("weight", weight)
    graph.add("Conv", "columns", weight_name, graph.constant("bias", student.bias.detach().numpy()), out="windows")
    graph.add("ReduceMax", "windows", out="largest", axes=[2], keepdims=0)
    _dense(graph, graph.add("Relu", "largest", out="features"), folded.hidden, folded.heads, labels)
    return graph.model(labels)


def _pooled_max(graph: Graph, looked_up: str, table: Table) -> str:
    """Add the three taps, shifted against each other, and keep each filter's largest window."""
    filters = table.shape[1] // TAPS
    axes = graph.constant("axes", np.array([1, 2]))
    taps = list(_taps(graph, looked_up, axes, filters))
    graph.add("Sum", *taps, out="windows")
    graph.add("ReduceMax", "windows", out="largest", axes=[1], keepdims=0)
    return graph.add("Relu", "largest", out="features")


def _taps(graph: Graph, looked_up: str, axes: str, filters: int) -> Iterator[str]:
    for tap in range(TAPS):
        last = tap - TAPS + 1 or np.iinfo(np.int64).max
        start = graph.constant(f"start_{tap}", np.array([tap, tap * filters]))
        end = graph.constant(f"end_{tap}", np.array([last, (tap + 1) * filters]))
        yield graph.add("Slice", looked_up, start, end, axes, out=f"tap_{tap}")


def _pooled_mean(graph: Graph, looked_up: str, table: Table) -> str:
    """Sum over the tokens; the last column has counted them."""
    graph.add("ReduceSum", looked_up, graph.constant("over", np.array([1])), out="total", keepdims=0)
    graph.split("total", [table.shape[1] - 1, 1], ["sum", "count"])
    graph.add("Max", "count", graph.constant("one", np.ones(1, dtype=np.float32)), out="tokens")
    return graph.add("Relu", graph.add("Div", "sum", "tokens", out="mean"), out="features")


def _dense(graph: Graph, features: str, hidden: Dense, heads: dict[str, Dense], labels: LabelSet) -> None:
    """The hidden layer, then for each head a linear layer and softmax or sigmoid."""
    _linear(graph, features, hidden, "hidden")
    graph.add("Relu", "hidden", out="active")
    for head in labels.heads:
        logits = _linear(graph, "active", heads[head.name], f"{head.name}_logits")
        if head.kind == "one-of":
            graph.add("Softmax", logits, out=head.name, axis=-1)
        else:
            graph.add("Sigmoid", logits, out=head.name)


def _linear(graph: Graph, source: str, dense: Dense, to: str) -> str:
    weight = graph.constant(f"{to}_weight", dense.weight)
    return graph.add("Gemm", source, weight, graph.constant(f"{to}_bias", dense.bias), out=to)
