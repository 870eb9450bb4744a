"""Other nodes: the kvtui that runs there, reached by the system's ssh or by exec into a pod.

Why ssh and not a library: ~/.ssh/config, agents, jump hosts, certificates and the organisation's rules for all of these
are those of the ``ssh`` that the operator uses.
"""
