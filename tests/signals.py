"""Starts children with default signal handlers, even if the tests were started with ignored signals.

An ignored signal stays ignored in a child. A shell ignores SIGINT and SIGQUIT in background commands of a script,
nohup(1) ignores SIGHUP, and some runners ignore SIGPIPE. A test that sends such a signal, or closes a terminal or a
pipe, starts its child with this prefix. Resetting signals for all tests would make nohup useless.
"""

from __future__ import annotations

DEFAULT_SIGNALS = ("env", "--default-signal=HUP,INT,QUIT,PIPE,TERM")
"""Prefix of a command. env(1) executes the command in its own process, so the PID stays the same."""
