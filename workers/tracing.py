"""OpenTelemetry's SDK as a process starts it: spans to where `OTEL_EXPORTER_OTLP_ENDPOINT` says, by HTTP.

Where to, how many and how often is the SDK's to read: `OTEL_EXPORTER_OTLP_*`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`,
`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`. Spans are sent by a thread of their own; what cannot be sent is dropped
and logged by the SDK, and holds up nobody.
"""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from workers.flows.traces import Traces


def start(env: str) -> Traces:
    """What this process tells; called after the fork, for a thread does not survive one.

    env    name of the installation
    """
    ours = Resource({"service.name": "lockstep", "deployment.environment.name": env})
    provider = TracerProvider(resource=Resource.create().merge(ours).merge(_told()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Traces(provider.get_tracer("lockstep"), provider.force_flush)


def _told() -> Resource:
    """What the environment says of this process; it goes before what we say."""
    return OTELResourceDetector().detect()
