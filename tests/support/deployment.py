"""What the files of deployment say, for the tests that read them and those that run them."""

from typing import Any, Final

import yaml
from tests.support.machine import ROOT

_KUBERNETES: Final = ROOT / "deploy" / "kubernetes"

COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: Final[dict[str, Any]] = COMPOSE["services"]

MANIFEST_FILES: Final = sorted(_KUBERNETES.glob("*.yaml"))
MANIFESTS: Final[dict[str, dict[str, Any]]] = {
    manifest["kind"]: manifest for manifest in (yaml.safe_load(file.read_text()) for file in MANIFEST_FILES)
}
"""By their kind; one a file."""
POD: Final[dict[str, Any]] = MANIFESTS["Deployment"]["spec"]["template"]["spec"]
CONTAINER: Final[dict[str, Any]] = POD["containers"][0]
POD_ENVIRONMENT: Final[dict[str, str]] = {entry["name"]: entry["value"] for entry in CONTAINER["env"]}

UNIT: Final = ROOT / "deploy" / "systemd" / "onemcp.service"


def unit(key: str) -> str:
    """The value of a key that stands in the unit once."""
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    (value,) = [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]
    return value
