"""LLVM IR that runs a step with numbers below 1.2e-38 taken as zero, where the processor would be slow with them.

x86 computes each vector that holds a denormal number in microcode, a hundred times slower. They come from saturated gates and
sharp softmaxes, and a product or an exponential below 1e-38 is as good as zero. Operators that hand numbers on, compare them or
divide by them keep them. The mode of the calling thread is put back after the step.
"""

from __future__ import annotations

from edgeopt.target import Target

SUMS = """Conv ConvTranspose DynamicConv DynamicGemm Einsum FusedAttention FusedConv FusedGemm GatedConv Gemm GRU HybridConv
HybridGemm HybridGRU HybridLSTM HybridRNN LSTM MatMul Mul PReluConv QuantGRU QuantLSTM QuantRNN RNN"""
CURVES = "Elu Exp Gelu HardSigmoid HardSwish Mish Sigmoid Silu Softmax Softplus Swish Tanh"
FLUSHED = frozenset(f"{SUMS} {CURVES}".split())
_BITS = 0x8040  # MXCSR: results that are denormal become zero, and operands too


def flushes(op: str, target: Target) -> bool:
    """Whether a step of a node ``op`` takes denormal numbers as zero."""
    return op in FLUSHED and target.architecture == "x86_64"


def mode_declarations(target: Target) -> str:
    """What ``flushed`` calls."""
    names = ("stmxcsr", "ldmxcsr") if target.architecture == "x86_64" else ()
    return "\n".join(f"declare void @llvm.x86.sse.{name}(ptr)" for name in names)


def flushed(call: str) -> list[str]:
    """The instructions of ``call`` in that mode."""
    return [
        "  %mode = alloca i32",
        "  %quick = alloca i32",
        "  call void @llvm.x86.sse.stmxcsr(ptr %mode)",
        "  %was = load i32, ptr %mode",
        f"  %bits = or i32 %was, {_BITS}",
        "  store i32 %bits, ptr %quick",
        "  call void @llvm.x86.sse.ldmxcsr(ptr %quick)",
        call,
        "  call void @llvm.x86.sse.ldmxcsr(ptr %mode)",
    ]
