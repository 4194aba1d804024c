"""The ONNX graph: ids in, one row of probabilities per head out; softmax, sigmoid and temperature inside.

Written node by node because every node costs about half a microsecond, which is what the runtime is made of.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.fold import Folded, block_embedding
from export.quantise import Precision, Small, Table, quantise
from tinyclf import LabelSet, TinyclfError
from tinyclf.classifier import INPUT
from training.kin import PAIR_FACTOR
from training.student import CLOSED, CnnStudent

OPSET, IR = 17, 8


class Graph:
    """Collects nodes and constants; ``model`` closes it.

    Names within begin with a slash, which no head's name can, so a head may have any name but the input's.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, out: str, **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        self._nodes.append(helper.make_node(kind, [_inner(name) for name in inputs], [_inner(out)], **attributes))
        return _inner(out)

    def answer(self, kind: str, source: str, head: str) -> None:
        """Add the node that gives a head's probabilities."""
        self._nodes.append(helper.make_node(kind, [_inner(source)], [head]))

    def split(self, source: str, sizes: list[int], to: list[str]) -> None:
        """Split the last axis."""
        sizes_name = self.constant(f"{source}_sizes", np.array(sizes))
        outputs = [_inner(name) for name in to]
        self._nodes.append(helper.make_node("Split", [_inner(source), sizes_name], outputs, axis=1))

    def constant(self, name: str, value: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> str:
        """Add a constant and return its name."""
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), _inner(name)))
        return _inner(name)

    def model(self, labels: LabelSet) -> bytes:
        """The finished, checked model."""
        if INPUT in (head.name for head in labels.heads):
            raise TinyclfError(
                f"a head cannot be named {INPUT!r}: that is the model's input; rename it in the label set"
            )
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


def _inner(name: str) -> str:
    return name if name == INPUT or name.startswith("/") else f"/{name}"


def folded_graph(folded: Folded, labels: LabelSet, precision: Precision = "float32") -> bytes:
    """The graph of a folded student: look up, add, pool, one linear layer."""
    graph = Graph()
    small = quantise(folded, precision)
    looked_up = graph.add("Gather", graph.constant("table", small.table), INPUT, out="looked_up")
    if folded.architecture == "mlp":
        features = _pooled_mean(graph, _as_float(graph, looked_up, small.table), small.table)
    elif folded.width == 1:
        features = _as_float(graph, graph.add("ReduceMax", looked_up, out="largest", axes=[1], keepdims=0), small.table)
    else:
        features = _pooled_max(graph, _as_float(graph, looked_up, small.table), small.table, folded.width)
    _answers(graph, features, small, labels)
    return graph.model(labels)


def conv_graph(student: CnnStudent, folded: Folded, labels: LabelSet) -> bytes:
    """The same cnn with its convolution left as a Conv node: the yardstick for folding."""
    graph = Graph()
    taps = student.taps.detach().numpy()
    weight = np.concatenate([*taps, np.zeros_like(taps[0, :, :1])], axis=1)
    weight[:, -1, 0] = CLOSED
    weight, bias = np.pad(weight, ((0, 1), (0, 0), (0, 0))), np.append(student.bias.detach().numpy(), np.float32(1))
    graph.add("Gather", graph.constant("embedding", block_embedding(student)), INPUT, out="embedded")
    graph.add("Transpose", "embedded", out="columns", perm=[0, 2, 1])
    graph.add("Conv", "columns", graph.constant("weight", weight), graph.constant("bias", bias), out="windows")
    graph.add("ReduceMax", "windows", out="largest", axes=[2], keepdims=0)
    _answers(graph, graph.add("Relu", "largest", out="features"), quantise(folded, "float32"), labels)
    return graph.model(labels)


def _as_float(graph: Graph, source: str, table: Table) -> str:
    """A cast where the table is not float32."""
    return source if table.dtype == np.float32 else graph.add("Cast", source, out="as_float", to=TensorProto.FLOAT)


def _pooled_max(graph: Graph, looked_up: str, table: Table, width: int) -> str:
    """Add the taps, shifted against each other, and keep each filter's largest window."""
    axes = graph.constant("axes", np.array([1, 2]))
    taps = list(_taps(graph, looked_up, axes, table.shape[1] // width, width))
    graph.add("Sum", *taps, out="windows")
    graph.add("ReduceMax", "windows", out="largest", axes=[1], keepdims=0)
    return graph.add("Relu", "largest", out="features")


def _taps(graph: Graph, looked_up: str, axes: str, filters: int, width: int) -> Iterator[str]:
    for tap in range(width):
        last = tap - width + 1 or np.iinfo(np.int64).max
        start = graph.constant(f"start_{tap}", np.array([tap, tap * filters]))
        end = graph.constant(f"end_{tap}", np.array([last, (tap + 1) * filters]))
        yield graph.add("Slice", looked_up, start, end, axes, out=f"tap_{tap}")


def _pooled_mean(graph: Graph, looked_up: str, table: Table) -> str:
    """Sum over the tokens, divided by the last column, which has counted them."""
    graph.add("ReduceSum", looked_up, graph.constant("over", np.array([1])), out="total", keepdims=0)
    last, end = graph.constant("count_at", np.array([table.shape[1] - 1])), graph.constant("all", np.array([2**31]))
    graph.add("Slice", "total", last, end, graph.constant("column_axis", np.array([1])), out="count")
    return graph.add("Relu", graph.add("Div", "total", "count", out="mean"), out="features")


def _answers(graph: Graph, features: str, small: Small, labels: LabelSet) -> None:
    """The logits of all heads on top of the wide path's, then softmax or sigmoid by head."""
    weight, wide = graph.constant("head_weight", small.head), _wide(graph, small.wide)
    graph.add("Gemm", features, weight, wide, out="logits", beta=small.wide_scale)
    names = [f"{head.name}_logits" for head in labels.heads]
    graph.split("logits", [len(head.names) for head in labels.heads], names)
    for head, name in zip(labels.heads, names, strict=True):
        graph.answer("Softmax" if head.kind == "one-of" else "Sigmoid", name, head.name)


def _wide(graph: Graph, wide: Table) -> str:
    """Look up every token and every hashed pair of neighbours, add, and divide by the root of their number."""
    first, end = graph.constant("first", np.array([0])), graph.constant("before_last", np.array([-1]))
    second, last = graph.constant("second", np.array([1])), graph.constant("last", np.array([np.iinfo(np.int64).max]))
    axis = graph.constant("token_axis", np.array([1]))
    left = graph.add("Slice", INPUT, first, end, axis, out="left")
    right = graph.add("Slice", INPUT, second, last, axis, out="right")
    scaled = graph.add("Mul", left, graph.constant("pair_factor", np.array(PAIR_FACTOR)), out="scaled")
    hashed = graph.add("Sub", scaled, right, out="hashed")
    pairs = graph.add("Mod", hashed, graph.constant("buckets", np.array(len(wide))), out="pairs")
    rows = graph.add("Concat", INPUT, pairs, out="rows", axis=1)
    weights = graph.add("Gather", graph.constant("wide", wide), rows, out="weights")
    if wide.dtype != np.float32:
        weights = graph.add("Cast", weights, out="float_weights", to=TensorProto.FLOAT)
    total = graph.add("ReduceSum", weights, axis, out="wide_total", keepdims=0)
    graph.split(total, [wide.shape[1] - 1, 1], ["wide_sum", "wide_count"])
    return graph.add("Div", "wide_sum", graph.add("Sqrt", "wide_count", out="wide_root"), out="wide_logits")
