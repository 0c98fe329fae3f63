"""Submits a task and waits for its end: python submit.py <type> <json> [idempotency key]"""

import json
import sys
import time

import grpc
from holdfast.v1 import task_pb2, task_service_pb2, task_service_pb2_grpc

from connection import connect

RETRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
END_STATES = (task_pb2.TASK_STATE_SUCCEEDED, task_pb2.TASK_STATE_DEAD, task_pb2.TASK_STATE_CANCELLED)
tasks = task_service_pb2_grpc.TaskServiceStub(connect())


def call(method, request):
    """Repeats a call that may not have reached the server. The key of a submission makes its repetition harmless."""
    for tries in range(6):
        try:
            return method(request, timeout=10)
        except grpc.RpcError as error:
            if error.code() not in RETRIED or tries == 5:
                raise
            time.sleep(0.2 * 2**tries)


def submit(kind, value, key):
    payload = task_pb2.Payload(content_type="application/json", bytes=json.dumps(value).encode())
    item = task_service_pb2.SubmitItem(idempotency_key=key, spec=task_pb2.Spec(type=kind, payload=payload))
    return call(tasks.SubmitTask, task_service_pb2.SubmitTaskRequest(queue="default", item=item))


def wait(task_id):
    while True:
        request = task_service_pb2.GetTaskRequest(id=task_id, view=task_pb2.TASK_VIEW_FULL)
        task = call(tasks.GetTask, request).task
        if task.state in END_STATES:
            return task
        time.sleep(0.5)


kind, value, key = sys.argv[1], json.loads(sys.argv[2]), (sys.argv + [""])[3]
accepted = submit(kind, value, key)
print("accepted", accepted.task.id, "again" if accepted.deduplicated else "first", flush=True)
ended = wait(accepted.task.id)
print(task_pb2.TaskState.Name(ended.state), ended.result.bytes.decode(), flush=True)
