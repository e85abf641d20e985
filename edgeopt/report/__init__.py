"""What a model costs, and tables that say so."""
