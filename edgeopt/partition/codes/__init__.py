"""Codes of the tensors that cross a link: fitted on calibration data, chosen by what the network decides with them, checked."""
