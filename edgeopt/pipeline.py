"""The table of contents of the compiler: every pass in its order, and one line of why. All run from level 1 on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeopt.errors import UnknownName
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.passes import (
    canonicalize_conv,
    canonicalize_gemm,
    canonicalize_matmul,
    canonicalize_reshape,
    canonicalize_scan,
    cast_like_to_cast,
    common_subexpressions,
    concat_of_slices,
    constant_folding,
    dead_code,
    decompose_batch_norm,
    division_to_product,
    drop_padding_taps,
    eliminate_identity,
    eliminate_noop,
    explicit_padding,
    fold_code_limits,
    fold_dynamic_quantization,
    fold_gate_into_conv,
    fold_gather_after,
    fold_gather_before,
    fold_lookup_result,
    fold_pad_into_conv,
    fold_pad_into_pool,
    fold_qdq,
    fold_qdq_arithmetic,
    fold_qdq_lookup,
    fold_qdq_scale,
    fold_recurrent_dequantization,
    fold_scale_after,
    fold_scale_before,
    fold_shape,
    fold_shift_after,
    fold_shift_before,
    fold_transpose_into_attention,
    fold_weight_dequantization,
    fuse_activation,
    fuse_attention,
    fuse_prelu,
    fuse_residual,
    gather_to_slice,
    import_qlinear,
    inline_if,
    lift_window,
    merge_casts,
    merge_concats,
    merge_constant_operands,
    merge_lookups,
    merge_products,
    merge_reshapes,
    merge_slices,
    merge_transposes,
    move_activation_up,
    move_qdq,
    move_reshape_down,
    move_rounding,
    move_transposes,
    pool_to_global,
    prelu_to_leaky_relu,
    recognize_gelu,
    recognize_hard_sigmoid,
    recognize_hard_swish,
    recognize_layer_norm,
    recognize_mish,
    recognize_rms_norm,
    recognize_silu,
    reduce_mean_to_global_pool,
    refine_loop_types,
    refine_types,
    reshape_around_gemm,
    reshape_around_softmax,
    reshape_before_global_pool,
    scale_shift_to_conv,
    separate_volume_pool,
    slice_of_concat,
    split_padding_taps,
    split_to_slice,
    transpose_to_reshape,
    widen_codes,
)
from edgeopt.rewrite import Context, Pass, PassError, run_pass

MAX_ROUNDS = 20
PrintAfter = Callable[[str, Graph], None]


@dataclass(frozen=True)
class Stage:
    """One pass of the pipeline; ``why`` says what it is there for."""

    pass_: Pass
    why: str


PIPELINE: tuple[Stage, ...] = (
    Stage(cast_like_to_cast.PASS, "a constant that is cast to the type of a map is a constant"),
    Stage(constant_folding.PASS, "what is known now is not computed at run time"),
    Stage(fold_shape.PASS, "shape arithmetic of exporters disappears once shapes are static"),
    Stage(refine_types.PASS, "shapes that folding made known reach the passes below"),
    Stage(refine_loop_types.PASS, "a loop whose states keep their shape has static shapes"),
    Stage(inline_if.PASS, "a branch that is always taken is no branch"),
    Stage(canonicalize_scan.PASS, "one form of Scan: along the first axis"),
    Stage(eliminate_identity.PASS, "nodes that do nothing hide the patterns of others"),
    Stage(eliminate_noop.PASS, "casts, transposes, pads and slices that change nothing cost a copy each"),
    Stage(merge_casts.PASS, "one conversion instead of two"),
    Stage(canonicalize_reshape.PASS, "one operator for renaming axes instead of four"),
    Stage(merge_reshapes.PASS, "one renaming instead of a chain"),
    Stage(merge_slices.PASS, "one copy instead of two"),
    Stage(merge_concats.PASS, "one copy instead of two"),
    Stage(split_to_slice.PASS, "what is not read is not copied"),
    Stage(slice_of_concat.PASS, "reads the piece where it lies"),
    Stage(concat_of_slices.PASS, "a value that is cut and joined again is whole, and its producer writes it in place"),
    Stage(gather_to_slice.PASS, "half a channel shuffle is one strided copy instead of three"),
    Stage(merge_transposes.PASS, "a transpose and its inverse cancel"),
    Stage(transpose_to_reshape.PASS, "a transpose that keeps the order in memory is free as a reshape"),
    Stage(move_transposes.PASS, "converted models change layout around every convolution"),
    Stage(recognize_layer_norm.PASS, "one operator instead of nine, before its means look like poolings"),
    Stage(recognize_rms_norm.PASS, "one operator instead of six"),
    Stage(pool_to_global.PASS, "the global form needs no window arithmetic"),
    Stage(reduce_mean_to_global_pool.PASS, "one kernel for one meaning"),
    Stage(reshape_before_global_pool.PASS, "frees a reshape between operators that fuse"),
    Stage(explicit_padding.PASS, "kernels and passes see numbers instead of a mode"),
    Stage(separate_volume_pool.PASS, "three windows along an axis are fewer operations than one of their product"),
    Stage(recognize_hard_sigmoid.PASS, "one operator instead of three, and it fuses"),
    Stage(recognize_hard_swish.PASS, "one operator instead of four, and it fuses"),
    Stage(recognize_silu.PASS, "one operator instead of two, and it fuses"),
    Stage(recognize_mish.PASS, "one pass over the map instead of three"),
    Stage(recognize_gelu.PASS, "one pass over the map instead of five"),
    Stage(fuse_attention.PASS, "the scores of all queries and keys need no memory"),
    Stage(fold_transpose_into_attention.PASS, "heads are read and written where they lie"),
    Stage(prelu_to_leaky_relu.PASS, "one slope is a number, and an activation that fuses"),
    Stage(division_to_product.PASS, "a multiplication is several times cheaper than a division"),
    Stage(merge_constant_operands.PASS, "one pass over the map instead of two"),
    Stage(fold_dynamic_quantization.PASS, "one operator instead of five, before its scale looks like any other factor"),
    Stage(canonicalize_conv.PASS, "the operator that bias, residual and activation fuse into"),
    Stage(canonicalize_gemm.PASS, "one operator for Gemm and MatMul; transposition and factors move into the weight"),
    Stage(canonicalize_matmul.PASS, "one operator for Gemm and MatMul"),
    Stage(reshape_around_gemm.PASS, "a product takes any number of leading axes"),
    Stage(reshape_around_softmax.PASS, "the softmax of older opsets flattens its input"),
    Stage(decompose_batch_norm.PASS, "a factor and an offset per channel, which neighbours take in"),
    Stage(fold_pad_into_conv.PASS, "saves a copy of the map"),
    Stage(drop_padding_taps.PASS, "what is multiplied by padding alone need not be, nor the padding be there"),
    Stage(fold_pad_into_pool.PASS, "saves a copy of the map"),
    Stage(fold_gather_after.PASS, "channels are computed in the order in which they are wanted"),
    Stage(fold_gather_before.PASS, "channels are read in the order in which they lie"),
    Stage(fold_scale_after.PASS, "saves a pass over the map"),
    Stage(fold_shift_after.PASS, "saves a pass over the map"),
    Stage(fold_scale_before.PASS, "saves a pass over the map"),
    Stage(fold_shift_before.PASS, "saves a pass over the map"),
    Stage(merge_products.PASS, "what is linear in what is linear is one product, which a projected input relies on"),
    Stage(move_activation_up.PASS, "brings the activation to the product it fuses into"),
    Stage(scale_shift_to_conv.PASS, "what is left of a batch norm is one pass over the map, and fuses an activation"),
    Stage(fuse_residual.PASS, "the sum is taken while the tile is in registers"),
    Stage(fuse_activation.PASS, "the activation is applied while the tile is in registers"),
    Stage(widen_codes.PASS, "codes of 4 bits take a byte each, and kernels compute on bytes"),
    Stage(import_qlinear.PASS, "one form of integer operator instead of two"),
    Stage(move_qdq.PASS, "what only moves elements moves codes instead"),
    Stage(move_rounding.PASS, "codes are a quarter of the bytes to move, and rounding meets what computes the numbers"),
    Stage(fold_lookup_result.PASS, "a product of codewords gives codes"),
    Stage(fold_qdq.PASS, "sums are taken in integers and rounded once"),
    Stage(fold_qdq_arithmetic.PASS, "a network stays in integers between its products"),
    Stage(fold_qdq_lookup.PASS, "a function of one byte is a table"),
    Stage(fold_qdq_scale.PASS, "what is left of a batch norm between codes is one pass over bytes"),
    Stage(fold_code_limits.PASS, "codes are limited while they are in registers"),
    Stage(merge_lookups.PASS, "what depends on one byte is one table"),
    Stage(fold_weight_dequantization.PASS, "weights stay in few bits in memory"),
    Stage(fold_recurrent_dequantization.PASS, "weights of recurrent layers, too"),
    Stage(lift_window.PASS, "kernels walk rows of maps, and a sequence is a map of one row"),
    Stage(move_reshape_down.PASS, "lifted windows follow each other in one layout, with what is between them"),
    Stage(common_subexpressions.PASS, "the same value is computed once"),
    Stage(dead_code.PASS, "what nobody reads is not computed and not shipped"),
)

# What runs in turn, once, when no rewrite and no technique looks for the plain operators any more.
LAST: tuple[Stage, ...] = (
    Stage(fuse_prelu.PASS, "slopes are applied while the tile is in registers"),
    Stage(split_padding_taps.PASS, "dilations nearly as wide as the map multiply mostly padding"),
    Stage(fold_gate_into_conv.PASS, "a convolution of a small window has fewer weights than its map has numbers"),
)


def optimize(
    graph: Graph,
    level: int = 1,
    context: Context | None = None,
    only: Sequence[str] | None = None,
    print_after: PrintAfter | None = None,
) -> Context:
    """Rewrite ``graph`` in place with the passes until none fires, and return what happened; level 0 runs none.

    ``only`` restricts the passes by name; their order stays that of the pipeline. ``print_after(name, graph)`` is called after
    each run of a pass that changed the graph. Raises UnknownName for an unknown name in ``only``, PassError when the passes do
    not come to rest together.
    """
    context = context or Context(level=level)
    stages = [s for s in PIPELINE if level >= 1 and (only is None or s.pass_.name in only)]
    unknown = sorted(set(only or ()) - names())
    if unknown:
        raise UnknownName(f"unknown passes: {', '.join(unknown)}; `edgeopt passes` lists those there are")
    for _ in range(MAX_ROUNDS):
        if not sum([_run(graph, stage.pass_, context, print_after) for stage in stages]):
            return context
    raise PassError(f"the passes still rewrite after {MAX_ROUNDS} rounds; the last ones were {_recent(context)}")


def finish(graph: Graph, context: Context, only: Sequence[str] | None = None, print_after: PrintAfter | None = None) -> None:
    """Rewrite ``graph`` in place with the passes that come last, before it is lowered; the arguments are as for ``optimize``.

    Each runs until it fires no more.
    """
    for stage in LAST if context.level >= 1 else ():
        while (only is None or stage.pass_.name in only) and _run(graph, stage.pass_, context, print_after):
            pass


def finished(graph: Graph, level: int) -> Graph:
    """A copy of ``graph`` after the passes that come last, as it is lowered."""
    made = clone(graph)
    finish(made, Context(level=level))
    return made


def names() -> set[str]:
    """The passes that run from -O1 on, by name."""
    return {stage.pass_.name for stage in (*PIPELINE, *LAST)}


def _run(graph: Graph, pass_: Pass, context: Context, print_after: PrintAfter | None) -> int:
    fired = run_pass(graph, pass_, context)
    if fired and print_after is not None:
        print_after(pass_.name, graph)
    return fired


def _recent(context: Context) -> str:
    return ", ".join(name for name, count in context.last.items() if count)
