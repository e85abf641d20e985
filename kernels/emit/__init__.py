"""The vector emitter and what is built on it: intrinsics, mathematical functions, epilogues, reading and writing elements."""
