"""The ``kubernetes`` library without its typed models; import it here only, and only in the API's process.

``import kubernetes`` imports every submodule, and in version 36 all 768 typed models: 94 MB instead of 36. So the
packages are registered without running their ``__init__``, and the modules that kvtui uses are imported one by one.
Nothing else is changed; the same works where the models are not installed at all (image, Debian package, single file).
"""

from __future__ import annotations

import importlib
import inspect
import sys
from typing import Any

from kvtui.backend import bare_packages

bare_packages.register(
    "kubernetes", "kubernetes.client", "kubernetes.client.models", "kubernetes.stream", "kubernetes.utils"
)
_client: Any = sys.modules["kubernetes.client"]
rest: Any = importlib.import_module("kubernetes.client.rest")
Configuration: Any = importlib.import_module("kubernetes.client.configuration").Configuration
ApiClient: Any = importlib.import_module("kubernetes.client.api_client").ApiClient
_client.ApiClient, _client.Configuration = ApiClient, Configuration
ApiException: Any = importlib.import_module("kubernetes.client.exceptions").ApiException
Watch: Any = importlib.import_module("kubernetes.watch.watch").Watch
kube_config: Any = importlib.import_module("kubernetes.config.kube_config")
ConfigException: Any = importlib.import_module("kubernetes.config.config_exception").ConfigException
InClusterConfigLoader: Any = importlib.import_module("kubernetes.config.incluster_config").InClusterConfigLoader

_parameters = inspect.signature(rest.RESTClientObject.request).parameters
_UNREAD = {"_preload_content": False} if "_preload_content" in _parameters else {}


def send(client: Any, method: str, url: str, **options: Any) -> Any:
    """Sends a request; returns urllib3's response with its body unread.

    Version 36 raises ApiException for a failure, version 37 returns it: ``session`` takes both.
    """
    response = client.rest_client.request(method, url, **options, **_UNREAD)
    return getattr(response, "response", response)
