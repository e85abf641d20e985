"""LLVM's part: modules of text linked, specialised and optimised for a target."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import llvmlite.binding as llvm

from edgeopt.target import Target

_SHAPED = (
    "global_dead_code_eliminate sroa simplify_cfg instruction_combine simplify_cfg "
    "loop_rotate loop_simplify lcssa reassociate simplify_cfg sroa new_gvn instruction_combine "
    "loop_unroll sroa instruction_combine new_gvn simplify_cfg dead_store_elimination aggressive_dce"
).split()


def linked(
    module: llvm.ModuleRef,
    texts: Iterable[str],
    public: set[str],
    target: Target,
    linkage: str = "internal",
    shaped: bool = False,
) -> llvm.ModuleRef:
    """``module`` with the functions of ``texts``, optimised for ``target``; nothing but ``public`` is visible from outside.

    ``shaped``: nearly all of it is vector code in the shape it is to have, so that little but arithmetic on addresses is left.
    """
    for text in texts:
        module.link_in(parse(text, target))
    _internalise(module, public, linkage)
    if target.small:
        _for_size(module)
    module.verify()
    machine = target_machine(target)
    _specialise(module, machine)
    (_fold if shaped else _optimise)(module, machine)
    return module


def _for_size(module: llvm.ModuleRef) -> None:
    """Loops stay rolled up: kernels are in the shape they are to have, and lose little by it."""
    for function in module.functions:
        if not function.is_declaration:
            function.add_function_attribute("optsize")


def _fold(module: llvm.ModuleRef, machine: llvm.TargetMachine) -> None:
    """What shaped code needs of LLVM's pipeline, in a third of its time: it looks over and over for what is not there."""
    passes = llvm.create_new_module_pass_manager()
    for name in _SHAPED:
        getattr(passes, f"add_{name}_pass")()
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3)))


def _optimise(module: llvm.ModuleRef, machine: llvm.TargetMachine) -> None:
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = options.loop_interleaving = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)


def _specialise(module: llvm.ModuleRef, machine: llvm.TargetMachine) -> None:
    """Give every call its own copy of its kernel before anything is optimised.

    LLVM optimises a function before it inlines it. With one caller it knows the constants by then, with two it does not, and a
    loop nest that was shaped for unknown extents is not reshaped afterwards: a layer would be slower for having a neighbour.
    """
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=0))
    inliner = llvm.create_new_module_pass_manager()
    inliner.add_always_inliner_pass()
    inliner.run(module, builder)


def target_machine(target: Target) -> llvm.TargetMachine:
    """LLVM's code generator for ``target``: position independent but where code is linked to its place, full optimisation."""
    _initialise()
    machine, reloc = llvm.Target.from_triple(target.triple), "static" if target.bare else "pic"
    return machine.create_target_machine(cpu=target.cpu, features=target.features, opt=3, reloc=reloc, codemodel="default")


@cache
def _initialise() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


def parse(text: str, target: Target) -> llvm.ModuleRef:
    """The module of ``text``, which says nothing of a target itself."""
    machine = target_machine(target)
    head = f'target datalayout = "{machine.target_data}"\ntarget triple = "{machine.triple}"\n'
    return llvm.parse_assembly(head + text)


def _internalise(module: llvm.ModuleRef, public: set[str], linkage: str) -> None:
    for symbol in [*module.functions, *module.global_variables]:
        if not symbol.is_declaration and symbol.name not in public:
            symbol.linkage = linkage
