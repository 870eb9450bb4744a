"""What can be wrong with the API: each a sentence for an operator, with the next step and never a secret."""

from __future__ import annotations


class KubeTrouble(Exception):  # noqa: N818 - the base of what is said to the operator; not all of it is an error
    """Something keeps the API from being read; its text is one clear sentence."""


class NotConfigured(KubeTrouble):
    """No API is configured here: calm, since kvtui works without."""


class NotWanted(NotConfigured):
    """The operator said not to ask it."""


class BadAccess(KubeTrouble):
    """The kubeconfig, its context or its credentials cannot be used."""


class Unreachable(KubeTrouble):
    """The network, the name or TLS is in the way, or the connection was cut."""


class Nonsense(KubeTrouble):
    """Whatever answers there does not speak as a Kubernetes API."""


class Rejected(KubeTrouble):
    """The API answered, and did not do what it was asked.

    Attributes:
        status: the HTTP status.
        retry_after: seconds that it asks to wait; None when it does not say.
    """

    def __init__(self, sentence: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_after = retry_after


class Unauthorized(Rejected):
    """401: who asks is not known, or no longer."""


class Forbidden(Rejected):
    """403: who asks is known and lacks a right."""


class Missing(Rejected):
    """404: there is no such object, or the cluster does not know the kind."""


class Expired(Rejected):
    """410: the past that a watch wants to resume from is forgotten; list again."""
