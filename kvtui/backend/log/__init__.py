"""keepalived's own log: where it goes, and its last lines as far as they can be read from here.

Measured with 2.2.7: ``--log-console`` with ``--dont-fork`` writes to standard error (in a container a pipe to the
runtime, which keeps what kubectl logs shows), beside syslog(3); without it there is syslog alone. ``--log-file`` needs
a build that has it (Debian's has not).
"""

from kvtui.backend.log.reader import LogReader

__all__ = ["LogReader"]
