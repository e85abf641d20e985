"""How kernels visit memory: strided loops, sliding windows, register tiles, copies through index tables."""
