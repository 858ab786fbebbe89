"""Mixed precision: what each layer may lose and what it costs; the choice that keeps a budget at the least cost."""
