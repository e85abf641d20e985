"""Device, edge server and cloud as three processes while servers die and links fail: ``python -m benchmarks.faults``."""
