"""Seeded mutations of ONNX models for fuzzing: bytes, fields, names, cycles, shapes, types, whole messages."""

from __future__ import annotations

import random
from typing import Any

from onnx import ModelProto

NUMBERS = (0, 1, -1, 2, 3, 7, 11, 16, 2**31 - 1, -(2**31), 2**31, 2**62, 2**63 - 1, -(2**63), 1_000_000)
REALS = (float("nan"), float("inf"), 0.0, -1.0, 1e30)
NAMES = ("", "gone", "Conv", "If", "Loop", "Add", "Resize", "Einsum", "ai.edgeopt", "com.example")


def mutate(data: bytes, chance: random.Random) -> bytes:
    """A damaged copy of a serialised model; equal seeds give equal damage."""
    if chance.random() < 0.15:
        return _damage_bytes(bytearray(data), chance)
    for _ in range(chance.randint(1, 4)):
        model = ModelProto.FromString(data)
        _damage_message(model, chance)
        data = model.SerializeToString()
    return data


def _damage_bytes(data: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.3 else data)


def _messages(message: Any) -> list[Any]:
    found = [message]
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for inner in value if field.is_repeated else [value]:
                found += _messages(inner)
    return found


def _damage_message(model: ModelProto, chance: random.Random) -> None:
    messages = _messages(model)
    target = chance.choice(messages)
    fields = target.ListFields()
    if not fields:
        return
    field, value = chance.choice(fields)
    if field.type == field.TYPE_MESSAGE:
        _damage_structure(target, field, value, messages, chance)
        return
    new = _scalar(field, value, model, chance)
    if not field.is_repeated:
        setattr(target, field.name, new)
    elif chance.random() < 0.3:
        value.append(new)
    else:
        value[chance.randrange(len(value))] = new


def _damage_structure(target: Any, field: Any, value: Any, messages: list[Any], chance: random.Random) -> None:
    if not field.is_repeated:
        target.ClearField(field.name)
        return
    parts = [part.SerializeToString() for part in value]
    alike = [m.SerializeToString() for m in messages if m.DESCRIPTOR.name == field.message_type.name]
    position = chance.randrange(len(parts))
    action = chance.choice(("drop", "repeat", "swap", "shuffle"))
    if action == "drop":
        del parts[position]
    elif action == "repeat":
        parts.append(chance.choice(alike))
    elif action == "swap":
        parts[position] = chance.choice(alike)
    else:
        chance.shuffle(parts)
    kind = type(value[0])
    del value[:]
    value.extend(kind.FromString(part) for part in parts)


def _scalar(field: Any, value: Any, model: ModelProto, chance: random.Random) -> Any:
    if field.type == field.TYPE_STRING:
        used = [name for node in model.graph.node for name in (*node.input, *node.output)]
        return chance.choice([*NAMES, *used])
    if field.type == field.TYPE_BYTES:
        old = bytes(value[0] if field.is_repeated else value)
        return chance.choice([old[: len(old) // 2], old + b"\0", b"", b"ij-", bytes(chance.randrange(256) for _ in range(5))])
    if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        return chance.choice(REALS)
    if field.type == field.TYPE_ENUM:
        return chance.choice([number.number for number in field.enum_type.values])
    narrow = field.type == field.TYPE_INT32
    low, high = (-(2**31), 2**31 - 1) if narrow else (0, 2**63 - 1) if field.type == field.TYPE_UINT64 else (-(2**63), 2**63 - 1)
    return chance.choice([n for n in (*NUMBERS, *range(30)) if low <= n <= high])
