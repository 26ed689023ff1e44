"""The metrics: every name that `/metrics` has, declared here and nowhere else.

Labels take their values from the configuration and from fixed lists, never from what clients send.
Source: Prometheus, "Metric and label naming"; OpenTelemetry, semantic conventions for MCP, in Prometheus's spelling.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """How a metric behaves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, by the name that samples have."""

    name: str
    kind: Kind
    help: str
    """One sentence, without a full stop."""
    labels: tuple[str, ...] = ()


_C: Final = Kind.COUNTER
_G: Final = Kind.GAUGE
_H: Final = Kind.HISTOGRAM

CALLS: Final = Metric(
    "onemcp_calls_total",
    _C,
    "Requests of clients, by how they ended; upstream is empty where none was asked",
    ("upstream", "method", "outcome"),
)
DURATION: Final = Metric(
    "mcp_server_operation_duration_seconds",
    _H,
    "Time from a client's request to its answer; error_type is empty where all went well",
    ("mcp_method_name", "error_type", "upstream"),
)
IN_FLIGHT: Final = Metric("onemcp_calls_in_flight", _G, "Calls that upstreams are working on", ("upstream",))
WAITING: Final = Metric(
    "onemcp_calls_waiting", _G, "Calls that wait for their upstream to be ready", ("upstream",)
)
PARKED: Final = Metric("onemcp_calls_parked", _G, "Calls that wait for answers of their clients")

UP: Final = Metric("onemcp_upstream_up", _G, "Whether an upstream answers calls: 1 or 0", ("upstream",))
STATE: Final = Metric(
    "onemcp_upstream_state",
    _G,
    "1 for the state that an upstream is in, 0 for the others",
    ("upstream", "state"),
)
RESTARTS: Final = Metric(
    "onemcp_upstream_restarts_total", _C, "Attempts to connect to an upstream again", ("upstream",)
)
PARTITIONS: Final = Metric(
    "onemcp_upstream_partitions", _G, "Connections that are one session's or principal's own", ("upstream",)
)
ENTRIES: Final = Metric(
    "onemcp_catalog_entries",
    _G,
    "What clients are shown: tools, prompts, resources, templates",
    ("upstream", "kind"),
)

HEALTH: Final = Metric(
    "onemcp_health_status", _G, "1 for what /health says: healthy, degraded or unhealthy", ("status",)
)
READY: Final = Metric("onemcp_ready", _G, "Whether /health/ready says yes: 1 or 0")
SESSIONS: Final = Metric("onemcp_sessions", _G, "Sessions in memory")
STREAMS: Final = Metric("onemcp_streams", _G, "Event streams that clients listen on")
CHANGES: Final = Metric("onemcp_changes_total", _C, "Changes of upstreams' lists, before they are gathered")
NOTICES: Final = Metric(
    "onemcp_notices_total", _C, "Notices of changed lists, each for all changes of its time"
)
UNCLAIMED: Final = Metric(
    "onemcp_unclaimed_messages_total", _C, "Messages of upstreams that belonged to no call any more"
)

RELOADS: Final = Metric(
    "onemcp_config_reloads_total", _C, "Reloads of the configuration, by outcome: ok or failed", ("outcome",)
)
RELOADED_AT: Final = Metric(
    "onemcp_config_last_success_timestamp_seconds", _G, "When the configuration was last read without a fault"
)
DROPPED: Final = Metric("onemcp_store_dropped_events_total", _C, "Events that the store could not keep")
LAG: Final = Metric(
    "onemcp_event_loop_lag_seconds", _H, "How late the event loop is, looked at twice a second"
)
LAG_MAX: Final = Metric("onemcp_event_loop_lag_max_seconds", _G, "The worst of the last minute")
BUILD: Final = Metric("onemcp_build_info", _G, "Always 1; the labels say what runs", ("version", "python"))

METRICS: Final = (
    CALLS,
    DURATION,
    IN_FLIGHT,
    WAITING,
    PARKED,
    UP,
    STATE,
    RESTARTS,
    PARTITIONS,
    ENTRIES,
    HEALTH,
    READY,
    SESSIONS,
    STREAMS,
    CHANGES,
    NOTICES,
    UNCLAIMED,
    RELOADS,
    RELOADED_AT,
    DROPPED,
    LAG,
    LAG_MAX,
    BUILD,
)
"""What the gateway itself knows."""

PROCESS: Final = (
    Metric("process_virtual_memory_bytes", _G, "Virtual memory size in bytes"),
    Metric("process_resident_memory_bytes", _G, "Resident memory size in bytes"),
    Metric("process_start_time_seconds", _G, "Start time of the process since unix epoch in seconds"),
    Metric("process_cpu_seconds_total", _C, "Total user and system CPU time spent in seconds"),
    Metric("process_open_fds", _G, "Number of open file descriptors"),
    Metric("process_max_fds", _G, "Maximum number of open file descriptors"),
)
"""What the client library reads of the process, on Linux."""
