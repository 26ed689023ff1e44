"""The manifests keep to Kubernetes' schemas, and to what the guide and the settings say."""

import asyncio
from pathlib import Path
from typing import Final

import kubernetes_validate  # type: ignore[import-untyped]  # it has no marker
import pytest
import yaml
from tests.support.deployment import CONTAINER, MANIFEST_FILES, MANIFESTS, POD, POD_ENVIRONMENT
from tests.support.guide import GUIDE, examples

from onemcp.config.loading import load
from onemcp.config.secrets.folder import USUAL
from onemcp.config.settings import resolve
from onemcp.core.spec import HttpTransport

VERSIONS: Final = ("1.28", "1.32", "1.37")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", MANIFESTS)
def test_it_keeps_to_the_schema_without_a_key_too_many(kind: str, version: str) -> None:
    kubernetes_validate.validate(MANIFESTS[kind], version, strict=True)


def test_a_key_too_many_would_be_noticed() -> None:
    wrong = {**MANIFESTS["Service"], "spec": {"porst": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_the_probes_are_those_of_the_guide() -> None:
    printed = yaml.safe_load(examples(GUIDE)["probes"].text)
    assert {name: CONTAINER[name] for name in printed} == printed


def test_there_is_one_container_and_one_manifest_of_a_kind() -> None:
    assert len(POD["containers"]) == 1
    assert len(MANIFESTS) == len(MANIFEST_FILES)


def test_all_are_in_the_namespace_that_comes_first() -> None:
    first = yaml.safe_load(MANIFEST_FILES[0].read_text())
    assert first["kind"] == "Namespace"
    for kind, manifest in MANIFESTS.items():
        assert kind == "Namespace" or manifest["metadata"]["namespace"] == first["metadata"]["name"]


def test_what_selects_pods_selects_those_of_the_deployment() -> None:
    labels = MANIFESTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert MANIFESTS["Service"]["spec"]["selector"] == labels
    assert MANIFESTS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    for kind in ("Deployment", "PodDisruptionBudget"):
        assert MANIFESTS[kind]["spec"]["selector"]["matchLabels"] == labels


def test_volumes_come_from_what_there_is() -> None:
    named = {kind: manifest["metadata"]["name"] for kind, manifest in MANIFESTS.items()}
    configuration, secrets, state, _ = POD["volumes"]
    assert configuration["configMap"]["name"] == named["ConfigMap"]
    assert state["persistentVolumeClaim"]["claimName"] == named["PersistentVolumeClaim"]
    assert secrets["secret"]["secretName"] == named["Secret"]
    assert [mount["mountPath"] for mount in CONTAINER["volumeMounts"] if mount["name"] == "secrets"] == [
        USUAL
    ]
    mounted = {mount["name"] for mount in CONTAINER["volumeMounts"]}
    assert mounted == {volume["name"] for volume in POD["volumes"]}


def test_the_configuration_is_good_with_what_is_in_the_secret(tmp_path: Path) -> None:
    config = tmp_path / "mcp.json"
    config.write_text(MANIFESTS["ConfigMap"]["data"]["mcp.json"])
    for name, value in MANIFESTS["Secret"]["stringData"].items():
        (tmp_path / name).write_text(value)
    loaded = asyncio.run(load(config, {}, resolve({"ONE_MCP_SECRETS_DIR": str(tmp_path)})))
    (spec,) = loaded.document.specs
    assert (spec.name, spec.fault) == ("docs", None)
    assert isinstance(spec.transport, HttpTransport)
    assert spec.transport.headers == (("Authorization", "Bearer replace-me"),)
    assert not loaded.document.notices


def test_the_pod_passes_the_restricted_profile() -> None:
    enforced = MANIFESTS["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert enforced == "restricted"
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["runAsUser"] == POD["securityContext"]["fsGroup"] == 10001
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_nothing_of_the_cluster_is_handed_to_servers() -> None:
    assert POD["automountServiceAccountToken"] is False
    assert POD["enableServiceLinks"] is False


def test_who_reaches_a_gateway_without_authentication_is_decided_by_the_network() -> None:
    assert POD_ENVIRONMENT["ONE_MCP_HOST"] == "0.0.0.0"
    assert POD_ENVIRONMENT["ONE_MCP_ALLOW_UNAUTHENTICATED"] == "true"
    policy = MANIFESTS["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    (rule,) = policy["ingress"]
    assert rule["from"]


def test_the_pod_is_given_longer_to_stop_than_its_drain_takes() -> None:
    drain = (int(POD_ENVIRONMENT["ONE_MCP_DRAIN_MIN"]) + int(POD_ENVIRONMENT["ONE_MCP_DRAIN_TIMEOUT"])) / 1000
    assert POD["terminationGracePeriodSeconds"] >= drain + 10


def test_one_gateway_at_a_time_has_the_state() -> None:
    assert MANIFESTS["Deployment"]["spec"]["replicas"] == 1
    assert MANIFESTS["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
