"""The command line: stdout is data, stderr is messages, exit codes are an API."""
