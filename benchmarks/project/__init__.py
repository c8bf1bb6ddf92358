"""A project as small as one can be: what all candidates test, with the same test bodies."""
