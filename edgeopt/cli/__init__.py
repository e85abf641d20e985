"""The command line: one small file per command. Libraries are imported inside the commands so that ``--help`` is instant."""
