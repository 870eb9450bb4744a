"""Finds keepalived's log and reads its last lines.

Measured with 2.2.7: ``--log-console`` with ``--dont-fork`` writes to standard error (in a container a pipe to the
runtime, the source of kubectl logs) and to syslog(3); without it keepalived writes to syslog only. ``--log-file`` needs
a build option that Debian's lacks.
"""

from kvtui.backend.keepalived.log.reader import LogReader

__all__ = ["LogReader"]
