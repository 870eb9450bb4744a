"""keepalived's dumps of its state: it writes one on a signal.

``requester`` sends the signals and finds the files; ``json_dump`` (SIGRTMIN+2) and ``data_text`` (SIGUSR1) parse them;
``merge`` joins the two. No parser keeps passwords.
"""
