"""What can be wrong with the API: each text is a sentence for an operator, with the next step and without secrets."""

from __future__ import annotations

NO_LIBRARY = "the Python package kubernetes is not installed: pip install 'kubernetes>=36.0.2,<38'"


class KubeError(Exception):
    """The API cannot be read; the text is one clear sentence."""


class NotConfiguredError(KubeError):
    """No API is configured here; kvtui works without."""


class NotWantedError(NotConfiguredError):
    """``--no-kube``."""


class AccessError(KubeError):
    """The kubeconfig, its context or its credentials cannot be used."""


class UnreachableError(KubeError):
    """The network, the name, a proxy or TLS is in the way, or the connection was cut."""


class UnexpectedAnswerError(KubeError):
    """The server does not answer like a Kubernetes API."""


class RejectedError(KubeError):
    """The API answered, and did not do what it was asked.

    ``message`` is what the API wrote, from outside; ``verb`` is ``list``, ``watch`` or empty.
    """

    def __init__(self, sentence: str, retry_after: float | None = None, message: str = "", verb: str = "") -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        self.message = message
        self.verb = verb


class UnauthorizedError(RejectedError):
    """401: the credentials are unknown or expired."""


class ForbiddenError(RejectedError):
    """403: a right is missing, or the API has not loaded its rights yet."""


class MissingError(RejectedError):
    """404: there is no such object, or the cluster does not know the kind."""


class ExpiredError(RejectedError):
    """410: the API no longer has the version that a watch resumes from; list again."""
