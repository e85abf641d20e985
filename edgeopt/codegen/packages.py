"""A library for microcontrollers as the archives that Arduino and Zephyr take in.

The Arduino IDE reads ``NAME_arduino.zip`` by "Add .ZIP Library"; it looks for the code by processor and unit of floats. What
``NAME_zephyr.zip`` unpacks to is a module: ``-DZEPHYR_EXTRA_MODULES=NAME``.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

from edgeopt.target import Target

STAMP = (1980, 1, 1, 0, 0, 0)  # archives of equal files are equal
_UNITS = {"cortex-m4": "fpv4-sp-d16", "cortex-m7": "fpv5-d16", "cortex-m33": "fpv5-sp-d16"}  # as Arduino's boards name them


def packages(files: Mapping[str, bytes], name: str, target: Target) -> dict[str, bytes]:
    """The archives by name, of the header, the weights and the code in ``files``."""
    sources = {file: files[file] for file in (f"{name}.h", f"{name}_weights.c")}
    code = files["libmodel.a"]
    arduino = {f"src/{file}": data for file, data in sources.items()}
    arduino |= {f"src/{_folder(target)}/lib{name}.a": code, "library.properties": _properties(name).encode()}
    zephyr = {**sources, "libmodel.a": code, "zephyr/module.yml": _module(name).encode()}
    zephyr["zephyr/CMakeLists.txt"] = _cmake(name).encode()
    return {f"{name}_arduino.zip": _zipped(name, arduino), f"{name}_zephyr.zip": _zipped(name, zephyr)}


def _folder(target: Target) -> str:
    """Where Arduino looks for code: an own folder for code that passes floats in registers."""
    unit = _UNITS.get(target.cpu) if target.triple.endswith("eabihf") else None
    mcu = target.cpu if target.architecture.startswith("thumb") else target.name
    return f"{mcu}/{unit}-hard" if unit is not None else mcu


def _properties(name: str) -> str:
    return f"""name={name}
version=1.0.0
author=edgeopt
maintainer=edgeopt
sentence=A neural network, compiled.
paragraph={name}_run computes it; {name}.h says how much memory it takes.
category=Data Processing
url=https://arduino.github.io/arduino-cli/latest/library-specification
architectures=*
includes={name}.h
precompiled=true
ldflags=-l{name} -lm
"""


def _module(name: str) -> str:
    return f"""name: {name}
build:
  cmake: zephyr
"""


def _cmake(name: str) -> str:
    return f"""zephyr_include_directories(${{CMAKE_CURRENT_LIST_DIR}}/..)
zephyr_library_named({name}_weights)
zephyr_library_sources(${{CMAKE_CURRENT_LIST_DIR}}/../{name}_weights.c)
zephyr_library_import({name} ${{CMAKE_CURRENT_LIST_DIR}}/../libmodel.a)
"""


def _zipped(folder: str, files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, data in files.items():
            archive.writestr(zipfile.ZipInfo(f"{folder}/{file}", STAMP), data, zipfile.ZIP_DEFLATED)
    return made.getvalue()
