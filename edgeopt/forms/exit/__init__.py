"""Early exits on a frozen network: where, heads fitted on calibration data, and one threshold that keeps a budget."""
