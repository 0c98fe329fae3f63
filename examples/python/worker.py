"""A worker without an SDK: it claims tasks, keeps their leases, stops where the server says so, and settles them."""

import json
import threading
import time
import uuid

import grpc
from holdfast.v1 import task_pb2
from holdfast.v1 import worker_service_pb2 as api
from holdfast.v1 import worker_service_pb2_grpc

from connection import connect

STOPS = (api.HEARTBEAT_VERDICT_CANCEL, api.HEARTBEAT_VERDICT_LEASE_LOST)
worker_id = str(uuid.uuid4())
workers = worker_service_pb2_grpc.WorkerServiceStub(connect())


def call(method, request, timeout=10):
    """Repeats a call with the same request until the server answers: each call of a worker may be repeated."""
    while True:
        try:
            return method(request, timeout=timeout, wait_for_ready=True)
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise
            time.sleep(0.5)


def claim(kinds):
    """Waits for tasks. If the answer is lost, the repetition carries the same request_id and gets the same tasks."""
    types = [api.HandledType(type=kind, max_version=1) for kind in kinds]
    request = api.ClaimTasksRequest(worker_name="python", worker_id=worker_id, queues=["default"], types=types)
    request.max_tasks, request.wait_ms, request.request_id = 1, 10_000, str(uuid.uuid4())
    return call(workers.ClaimTasks, request, timeout=20).tasks


def keep_lease(task, ended, stop):
    """Sends a heartbeat three times in each lease. `stop` is set when the task was cancelled or belongs to another worker."""
    item = api.HeartbeatItem(lease=task.lease, begun=True)
    lease_ms = task.lease_ms
    while not ended.is_set():
        [answer] = call(workers.Heartbeat, api.HeartbeatRequest(items=[item])).answers
        if answer.verdict in STOPS:
            return stop.set()
        ended.wait((answer.lease_ms or lease_ms) / 3_000)


def run(task, handler):
    ended, stop = threading.Event(), threading.Event()
    threading.Thread(target=keep_lease, args=(task, ended, stop), daemon=True).start()
    try:
        result = handler(json.loads(task.spec.payload.bytes), stop)
        payload = task_pb2.Payload(content_type="application/json", bytes=json.dumps(result).encode())
        settlement = workers.SucceedTask, api.SucceedTaskRequest(lease=task.lease, result=payload)
    except Exception as error:
        reason = api.FAIL_REASON_CANCELLED if stop.is_set() else api.FAIL_REASON_RETRY
        fields = {"reason": reason, "message": str(error), "error_type": type(error).__name__, "begun": True}
        settlement = workers.FailTask, api.FailTaskRequest(lease=task.lease, **fields)
    ended.set()
    try:
        call(*settlement)
    except grpc.RpcError as error:  # The lease is lost: the outcome is another worker's to report.
        print("not settled:", error.details(), flush=True)


def work(handlers):
    while True:
        for task in claim(handlers):
            print("runs", task.task_id, "attempt", task.attempt, flush=True)
            run(task, handlers[task.spec.type])
