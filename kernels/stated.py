"""What a kernel function computes, said in numbers: its form, for back ends that write code of their own instead of it.

A form is a frozen dataclass of the kernel's factory. Together with the element types and the constants of a call it says
everything: where each operand is read and written, in which order sums are made, and what is done to them.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

Function = Callable[..., None]
_FORMS: WeakKeyDictionary[Function, object] = WeakKeyDictionary()


def stating(function: Function, form: object) -> Function:
    """``function``, of which ``form`` says what it computes."""
    _FORMS[function] = form
    return function


def form_of(function: Function) -> object | None:
    """The form of a kernel function; None where its factory states none."""
    return _FORMS.get(function)
