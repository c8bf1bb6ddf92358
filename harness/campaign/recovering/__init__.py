"""The probe `recovery` in parts: which troubles, how one is held, what became of the writes."""
