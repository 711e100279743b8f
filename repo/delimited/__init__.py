"""Files of rows, delimited text and Parquet; ``repo.loading`` is what callers use."""
