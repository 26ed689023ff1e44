"""The official conformance suite as the upstream of a gateway: what the gateway says to a server, in each era.

Every scenario but those of authorization must be without a failure and without a warning, or stand in `expected.py`
with its reason; an entry there that is no longer true fails as well.
"""

from pathlib import Path

import pytest
from tests.conformance import suite
from tests.conformance.expected import EXPECTED_OF_CLIENT
from tests.support.machine import CONFORMANCE

pytestmark = [CONFORMANCE.mark, pytest.mark.timeout(180)]


@pytest.mark.parametrize("revision", EXPECTED_OF_CLIENT)
def test_to_an_upstream_the_gateway_is_a_client_as_the_protocol_wants_it(
    revision: str, tmp_path: Path
) -> None:
    suite.judge(suite.run_client(revision, tmp_path), EXPECTED_OF_CLIENT[revision])
