"""Random cases against the compiler: nodes whose operands do not fit, damaged model files."""
