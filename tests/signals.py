"""Children that die of the signals which a terminal sends, however the tests themselves were started.

An ignored signal stays ignored in a child. A shell ignores SIGINT and SIGQUIT for what it runs in the background of a
script, nohup(1) ignores SIGHUP, and some runners ignore SIGPIPE. A test that sends such a signal, or closes a terminal
or a pipe, starts its child with this prefix. It must not reset them for all tests: nohup would be for nothing.
"""

from __future__ import annotations

DEFAULT_SIGNALS = ("env", "--default-signal=HUP,INT,QUIT,PIPE,TERM")
"""What a command begins with. env(1) becomes the command, so the PID is the same."""
