"""Tools that find N+1 queries, over one labelled corpus: who finds what, and invents what."""
