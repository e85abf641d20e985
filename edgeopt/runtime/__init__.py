"""Compiled models: on disk, in memory, running, and under emulation."""
