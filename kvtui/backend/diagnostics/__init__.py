"""What a bug report can carry: the debug log and crash reports, both without secrets and of bounded size."""
