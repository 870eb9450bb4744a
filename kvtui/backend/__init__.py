"""Everything that touches the world: one noun a module, each behind a small Protocol."""
