"""Everything that does I/O: one noun a module, each behind a small Protocol."""
