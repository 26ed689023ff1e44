"""From the settings to what the gateway's behaviour depends on."""

from onemcp.config.settings import Settings
from onemcp.core.features import Features
from onemcp.core.merge import NamePolicy, Naming
from onemcp.gateway.runtime import Options


def options(settings: Settings) -> Options:
    """The options that the settings mean; milliseconds become seconds."""
    return Options(
        naming=Naming(NamePolicy(settings.name_policy), settings.name_separator, settings.tool_name_limit),
        async_loading=settings.enable_async_loading,
        batch_delay=settings.async_batch_delay / 1000,
        call_wait=settings.call_wait / 1000,
        page_size=settings.page_size,
        drain_timeout=settings.drain_timeout / 1000,
        features=features(settings),
    )


def features(settings: Settings) -> Features:
    """What is switched on."""
    return Features(
        metrics=settings.metrics,
        alerts=settings.feature_alerts,
        single_server_routes=settings.feature_single_server_routes,
        sampling=settings.feature_sampling,
        elicitation=settings.feature_elicitation,
        roots=settings.feature_roots,
        completions=settings.feature_completions,
        trace_context=settings.feature_trace_context,
    )
