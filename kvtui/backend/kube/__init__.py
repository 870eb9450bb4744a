"""The Kubernetes API: found, listed and watched, read only.

The official ``kubernetes`` client speaks to the API: kubeconfigs, service accounts, exec plugins, OIDC,
TLS, requests, watches. It runs in a process of its own (``child``), started only where an API is configured; that
process sends parsed objects and states as JSON lines (``facts``), and the node mirrors them (``mirror``).

Measured, Python 3.11, CPU to import and resident memory (the interpreter alone: 13 MB):

=========================================================  =======  ======
what is imported                                               CPU  memory
=========================================================  =======  ======
kubernetes 36.0.2 as it comes (768 typed models)            1.29 s   94 MB
kubernetes 37.0.2 as it comes (lazy; pydantic)              0.24 s   46 MB
kubernetes.aio's ApiClient (needs machine code: aiohttp)    0.60 s   53 MB
36.0.2 without its typed models (``library``)               0.20 s   36 MB
37.0.2 without its typed models                             0.13 s   42 MB
=========================================================  =======  ======

So the synchronous client is used, with one thread for each watch, and the typed models are not loaded: kvtui keeps a
few fields of each object (``parse``). The library's informer is not used: it keeps whole objects, 5 to 10 KB a pod.

===================  ==========================================================================================
in the node          ``discovery`` (where an API is configured), ``process``, ``mirror``
in the API's         ``child``, ``coordinator``, ``feeds``, ``watcher``, ``query_plan``, ``session``,
process              ``access``, ``library``, ``parse``
in both              ``facts``, ``errors``, ``timing``
===================  ==========================================================================================
"""
