"""Tests; a package, so that folders may have modules of the same name."""
