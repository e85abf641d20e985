"""QLinearSigmoid and QLinearLeakyRelu of com.microsoft -> a table of 256 codes.

    QLinearF(x, x_scale, x_zero, y_scale, y_zero)   ->   QuantLookup(x, table)       table[i] = Q(f(DQ(i-th code)))

Not when a scale or zero point is computed at run time.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Graph, Node, TensorType, numpy_dtype
from edgeopt.ir.match import dtype_of
from edgeopt.ops.quantization import quantizer
from edgeopt.rewrite import Context, Pass

CODES = {"uint8": np.arange(256), "int8": np.arange(-128, 128)}


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if node.domain != "com.microsoft" or node.op not in PASS.roots:
        return False
    source, numbers = node.input(0), [node.constant(i) for i in range(1, 5)]
    zero = node.input(4)
    if source is None or zero is None or dtype_of(source) not in CODES or any(n is None for n in numbers):
        return context.decline(node, "its grids are not constant or its codes are not 8 bits wide")
    x_scale, x_zero, y_scale, y_zero = (n.reshape(()) for n in numbers if n is not None)
    values = (CODES[dtype_of(source)] - x_zero.astype(np.int64)).astype(np.float32) * x_scale
    result = dtype_of(zero)
    codes = quantizer(result, y_scale, y_zero).quantize(_function(node, values)).astype(numpy_dtype(result))
    table = graph.constant(f"{node.name}.table", codes)
    type_ = TensorType(result, source.type.shape if source.type is not None else None)
    made = graph.make("QuantLookup", [source, table], [type_], node, OWN_DOMAIN, node.name)
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True


def _function(node: Node, x: Array) -> Array:
    if node.op == "QLinearLeakyRelu":
        return np.where(x < 0, x * np.float32(node.real("alpha", 0.01)), x)
    return np.asarray(1 / (1 + np.exp(-x.astype(np.float64))), np.float32)


PASS = Pass("import_qlinear_lookup", rewrite, roots=("QLinearSigmoid", "QLinearLeakyRelu"))
