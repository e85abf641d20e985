"""Data sets, runs on many samples, calibration and measures of error."""
