"""``python -m edgeopt`` is the command ``edgeopt``."""

import sys
from pathlib import Path


def _found_whole() -> None:
    """Started in the folder that holds a clone, Python takes the clone for the package, without what the package defines."""
    if getattr(sys.modules.get("edgeopt"), "__file__", None) is None:
        sys.modules.pop("edgeopt", None)
        sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


if __name__ == "__main__":
    _found_whole()
    from edgeopt.cli.main import main

    main(prog_name="edgeopt")
