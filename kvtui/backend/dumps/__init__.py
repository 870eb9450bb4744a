"""What keepalived says of itself when a signal asks it: the texts it writes, and how to ask for them.

``json_dump`` (SIGRTMIN+2), ``data_text`` (SIGUSR1) and ``stats_text`` (SIGUSR2) read the texts; ``merge`` joins the
first two; ``asker`` sends the signals and finds the files. Passwords in these texts are skipped by every reader.
"""
