"""The scan: every GET endpoint at several sizes of the data, without a test or a row of yours."""
