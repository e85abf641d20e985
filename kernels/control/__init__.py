"""What control flow is made of: conditions, counters, slices of sequences by the number of the turn.

These are no kernels of operators: the lowering of If, Loop and Scan makes their calls itself, and puts the jumps between them.
"""
