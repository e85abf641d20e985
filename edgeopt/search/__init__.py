"""Choice of approximations inside a budget."""
