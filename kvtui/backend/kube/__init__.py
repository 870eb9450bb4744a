"""What the Kubernetes API says: found by itself, listed and watched, read only.

Two ways to talk to the API were measured beside the terminal UI (38 MB resident, 60 MB are allowed; Python 3.11,
kubernetes 37.0.2, best of 2):

===================================================  ========  ========
way                                                   import    memory
===================================================  ========  ========
``kubernetes.client.CoreV1Api`` (typed models)        1,290 ms  +59 MB
``kubernetes.aio.config`` and its ApiClient             470 ms  +49 MB
``kubernetes.config`` and its RESTClient                300 ms  +37 MB (+21 MB in the UI's own process)
aiohttp alone                                           250 ms  +26 MB
urllib3 alone                                            75 ms  +15 MB
asyncio streams, ssl and json, which the UI has         ~0 ms    +1 MB
===================================================  ========  ========

So each does what it is good at: the library reads kubeconfigs, runs exec plugins and refreshes OIDC tokens, in a
process of its own that ends as soon as it has told what it found (``kubeconfig_child``); requests are made with
asyncio's streams (``http``), and JSON is turned into kvtui's own dataclasses (``parse``). Nothing is imported, and no
process started, where no API is configured.
"""
