"""`python -m target_app.faults`: print the document about the faults."""

import sys

from target_app.faults import FAULTS
from target_app.faults.load import LOAD_FAULTS, WORKLOADS
from target_app.faults.table import as_markdown

if __name__ == "__main__":
    sys.stdout.write(as_markdown(FAULTS, LOAD_FAULTS, WORKLOADS))
