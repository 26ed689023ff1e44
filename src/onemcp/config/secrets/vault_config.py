"""What is said of a Vault: where it is, and who we are there."""

from dataclasses import dataclass, field
from typing import Final

from onemcp.config.secrets.provider import TIMEOUT
from onemcp.config.secrets.secret import Secret

MOUNT: Final = "secret"
"""Where its KV secrets engine is."""
ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"
"""Where Kubernetes mounts the token of a pod's service account."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token, or the file that it is in and that somebody keeps fresh (an agent of Vault)."""

    text: Secret | None = None
    file: str = ""


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """A login as a role, with the token of the pod's service account (auth method `kubernetes`)."""

    role: str
    mount: str = "kubernetes"
    file: str = ACCOUNT


@dataclass(frozen=True, slots=True)
class VaultConfig:
    """Where it is, and who we are there."""

    address: str
    token: Token | Kubernetes = field(repr=False)
    mount: str = MOUNT
    namespace: str = ""
    ca_file: str = ""
    """Certificates that are trusted, instead of the machine's."""
    timeout: float = TIMEOUT
