"""``python -m edgeopt`` is the command ``edgeopt``."""

from edgeopt.cli.main import main

if __name__ == "__main__":
    main(prog_name="edgeopt")
