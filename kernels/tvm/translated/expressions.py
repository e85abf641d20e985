"""From the expressions of a kernel's function to those of TIR."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

from tvm import tirx

from edgeopt.kernels.call import Declined
from edgeopt.kernels.tvm.translated import scalars
from edgeopt.kernels.tvm.translated.frame import Frame, now, stored
from edgeopt.kernels.tvm.translated.functions import called, python_function
from edgeopt.kernels.tvm.translated.memory import Pointer, plus
from edgeopt.kernels.tvm.translated.vector_values import bound

OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
    ast.BitAnd: "and_",
    ast.BitOr: "or_",
    ast.BitXor: "xor",
}
_COMPARISONS = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne"}
_PURE = (ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.Compare, ast.operator, ast.unaryop, ast.cmpop, ast.expr_context)


def value(frame: Frame, node: ast.expr) -> Any:
    """The value of an expression, now. Raises Declined for one that has no TIR."""
    write = _WRITERS.get(type(node))
    if write is None:
        raise Declined(f"it has the expression '{ast.unparse(node)}'")
    return write(frame, node)


def truth(frame: Frame, node: ast.expr) -> Any:
    """Whether an expression is true."""
    made = value(frame, node)
    return bool(made) if scalars.is_known(made) else scalars.cast(made, "bool")


def _binary(frame: Frame, node: ast.BinOp) -> Any:
    return scalars.binary(OPERATORS[type(node.op)], value(frame, node.left), value(frame, node.right))


def _unary(frame: Frame, node: ast.UnaryOp) -> Any:
    operand = value(frame, node.operand)
    if isinstance(node.op, ast.USub):
        return scalars.negative(operand)
    if isinstance(node.op, ast.Not):
        return scalars.inverted(operand)
    if isinstance(node.op, ast.Invert):
        return scalars.binary("xor", operand, -1)
    return operand


def _compared(frame: Frame, node: ast.Compare) -> Any:
    left, made = value(frame, node.left), True
    for how, right in zip(node.ops, node.comparators, strict=True):
        other = value(frame, right)
        if isinstance(how, ast.Is | ast.IsNot):
            one = (left is other) == isinstance(how, ast.Is)
        elif isinstance(left, str):
            one = getattr(operator, _COMPARISONS[type(how)])(left, other)
        else:
            one = scalars.binary(_COMPARISONS[type(how)], left, other)
        made, left = _both(made, one), other
    return made


def _both(a: Any, b: Any) -> Any:
    if scalars.is_known(a):
        return b if a else False
    return tirx.And(a, scalars.expression(b))


def _joined(frame: Frame, node: ast.BoolOp) -> Any:
    """``and``, ``or``: what comes later is not looked at where the first decides, unless that makes no difference."""
    either = isinstance(node.op, ast.Or)
    made = truth(frame, node.values[0])
    for following in node.values[1:]:
        if scalars.is_known(made):
            made = made if bool(made) == either else truth(frame, following)
        elif _is_pure(following):
            other = scalars.expression(truth(frame, following))
            made = (tirx.Or if either else tirx.And)(made, other)
        else:
            stays, looks = (lambda: either), partial(truth, frame, following)
            made = _chosen(frame, made, *((stays, looks) if either else (looks, stays)))
    return made


def _conditional(frame: Frame, node: ast.IfExp) -> Any:
    condition = truth(frame, node.test)
    if scalars.is_known(condition):
        return value(frame, node.body if condition else node.orelse)
    if not (_is_pure(node.body) and _is_pure(node.orelse)):
        return _chosen(frame, condition, partial(value, frame, node.body), partial(value, frame, node.orelse))
    a, b = value(frame, node.body), value(frame, node.orelse)
    if isinstance(a, Pointer | tuple):
        return _chosen(frame, condition, lambda: a, lambda: b)
    kind = scalars.common(scalars.dtype(a), scalars.dtype(b))
    return bound(tirx.Select(condition, *(scalars.expression(scalars.cast(v, kind)) for v in (a, b))))


def _chosen(frame: Frame, condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """One of two values, of which only that one is computed."""
    name, made = f"?{frame.writing.number()}", list[Any]()

    def first() -> None:
        given = then()
        made.append(frame.variable(name, given))
        frame.put(made[0], given)

    frame.either(condition, first, lambda: frame.put(made[0], otherwise()))
    return now(made[0])


def _is_pure(node: ast.expr) -> bool:
    """Whether an expression reads no memory, calls nothing and divides nothing."""
    inner = list(ast.walk(node))
    divides = any(isinstance(part, ast.BinOp) and isinstance(part.op, ast.FloorDiv | ast.Mod | ast.Div) for part in inner)
    return not divides and all(isinstance(part, _PURE) for part in inner)


def _element(frame: Frame, node: ast.Subscript) -> Any:
    base, place = value(frame, node.value), value(frame, node.slice)
    if not isinstance(base, Pointer):
        if not scalars.is_known(place):
            raise Declined(f"'{ast.unparse(node)}' is not known")
        return base[place]
    at = plus(base.offset, scalars.cast(place, "int64"))
    return scalars.cast(bound(base.memory.element(stored(base.dtype), at)), base.dtype)


def _called(frame: Frame, node: ast.Call) -> Any:
    callee = value(frame, node.func)
    arguments: list[Any] = []
    for argument in node.args:
        given = value(frame, argument.value if isinstance(argument, ast.Starred) else argument)
        arguments += given if isinstance(argument, ast.Starred) else [given]
    inner = python_function(callee)
    return called(frame.writing.builder, callee, arguments) if inner is None else frame.inlined(inner, arguments)


def _constant(frame: Frame, node: ast.Constant) -> Any:
    return node.value


def _attribute(frame: Frame, node: ast.Attribute) -> Any:
    return getattr(value(frame, node.value), node.attr)


_WRITERS: dict[type[ast.expr], Callable[..., Any]] = {
    ast.Name: lambda frame, node: frame.name(node.id),
    ast.Constant: _constant,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _compared,
    ast.BoolOp: _joined,
    ast.IfExp: _conditional,
    ast.Subscript: _element,
    ast.Call: _called,
    ast.Attribute: _attribute,
    ast.Tuple: lambda frame, node: tuple(value(frame, part) for part in node.elts),
}
