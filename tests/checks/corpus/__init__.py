"""A labelled corpus: what the checks of statements must find, and what they must leave alone.

Each case is a handler as people write them, on models that have nothing to do with the reference
application. Its label says which findings it earns, or that it earns none.
"""
