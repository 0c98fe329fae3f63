"""A worker in Python, by single calls and without the SDK. Its handler's span is in the trace of the task."""

import os
import sys
import threading
import uuid

import grpc
from holdfast.v1 import task_pb2, worker_service_pb2, worker_service_pb2_grpc
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

QUEUE = os.environ["QUEUE"]
TYPE = os.environ["TYPE"]
CALL_S = 10

provider = TracerProvider(resource=Resource({"service.name": "python-worker"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("worker")
propagator = TraceContextTextMapPropagator()
stopping = threading.Event()
channel = grpc.insecure_channel(os.environ["ADDRESS"])
stub = worker_service_pb2_grpc.WorkerServiceStub(channel)


def context_of(traceparent):
    return propagator.extract({"traceparent": traceparent}) if traceparent else None


def links_of(task):
    """A later attempt links to the submission, whose trace it does not continue."""
    if not task.traceparent or task.attempt_traceparent == task.traceparent:
        return []
    span = trace.get_current_span(context_of(task.traceparent))
    return [trace.Link(span.get_span_context())]


def handle(task):
    parent = context_of(task.attempt_traceparent)
    kind = trace.SpanKind.CONSUMER
    attributes = {"holdfast.task.id": task.task_id, "holdfast.attempt": task.attempt}
    with tracer.start_as_current_span(
        f"process {task.queue}", context=parent, kind=kind, links=links_of(task), attributes=attributes
    ) as span:
        with tracer.start_as_current_span("draw"):
            fails = task.attempt == 1
        headers = {}
        propagator.inject(headers)
        metadata = tuple(headers.items())
        if fails:
            span.set_attributes({"holdfast.outcome": "failed", "error.type": "RangeError"})
            span.set_status(trace.StatusCode.ERROR, "no paper")
            request = worker_service_pb2.FailTaskRequest(
                lease=task.lease,
                reason=worker_service_pb2.FAIL_REASON_RETRY,
                message="no paper",
                error_type="RangeError",
                after_ms=1,
                begun=True,
            )
            stub.FailTask(request, timeout=CALL_S, metadata=metadata)
        else:
            span.set_attribute("holdfast.outcome", "succeeded")
            payload = task_pb2.Payload(content_type="application/json", bytes=b'"a page"')
            request = worker_service_pb2.SucceedTaskRequest(lease=task.lease, result=payload)
            stub.SucceedTask(request, timeout=CALL_S, metadata=metadata)


def until_input_ends():
    """The run ends this process by closing its input, also when the run is killed."""
    sys.stdin.read()
    stopping.set()


threading.Thread(target=until_input_ends, daemon=True).start()
worker_id = str(uuid.uuid4())
while not stopping.is_set():
    claim = worker_service_pb2.ClaimTasksRequest(
        worker_name="python",
        worker_id=worker_id,
        queues=[QUEUE],
        types=[worker_service_pb2.HandledType(type=TYPE, max_version=1)],
        max_tasks=1,
        wait_ms=500,
    )
    try:
        tasks = stub.ClaimTasks(claim, timeout=CALL_S, wait_for_ready=True).tasks
    except grpc.RpcError:
        continue
    for task in tasks:
        handle(task)
provider.shutdown()
