"""A worker without the SDK and without streams: ClaimTasks, Heartbeat, SucceedTask and FailTask."""

import json
import threading
import time
import uuid

import grpc
from holdfast.v1 import task_pb2, worker_service_pb2, worker_service_pb2_grpc

import attempt
from shared import LANE_QUEUE, NAME, QUEUE, TYPE, Connection, Ledger, call, finish, start, stopping

THREADS = 4
HEARTBEAT_S = 10
SNOOZE_MS = 500
END_S = 12
worker_id = str(uuid.uuid4())
claiming = Connection(worker_service_pb2_grpc.WorkerServiceStub)
settling = Connection(worker_service_pb2_grpc.WorkerServiceStub)
ledger = Ledger()
REASONS = {
    "failed": worker_service_pb2.FAIL_REASON_RETRY,
    "fatal": worker_service_pb2.FAIL_REASON_FATAL,
    "snoozed": worker_service_pb2.FAIL_REASON_SNOOZE,
    "aborted": worker_service_pb2.FAIL_REASON_RELEASED,
}


def keep_lease(task, ended, aborted):
    """Sends heartbeats until the attempt has ended, and stops the attempt if its lease is lost."""
    item = worker_service_pb2.HeartbeatItem(lease=task.lease, begun=True)
    while not ended.wait(HEARTBEAT_S):
        try:
            [answer] = call(settling, "Heartbeat", worker_service_pb2.HeartbeatRequest(items=[item])).answers
        except grpc.RpcError:
            continue
        if answer.verdict in (worker_service_pb2.HEARTBEAT_VERDICT_CANCEL, worker_service_pb2.HEARTBEAT_VERDICT_LEASE_LOST):
            aborted.set()
            return


def settle(task, how, result):
    if how == "well":
        payload = task_pb2.Payload(content_type="application/json", bytes=json.dumps(result).encode())
        method, request = "SucceedTask", worker_service_pb2.SucceedTaskRequest(lease=task.lease, result=payload)
    else:
        after_ms = SNOOZE_MS if how == "snoozed" else 0
        fields = {"reason": REASONS[how], "message": "planned", "after_ms": after_ms, "begun": True}
        method, request = "FailTask", worker_service_pb2.FailTaskRequest(lease=task.lease, **fields)
    try:
        call(settling, method, request)
    except grpc.RpcError as error:
        # The lease was lost, or the task has ended meanwhile.
        if error.code() != grpc.StatusCode.FAILED_PRECONDITION:
            raise
        return
    ledger.settled(task.task_id, task.fencing_token, how)


def handle(task):
    ended, aborted = threading.Event(), threading.Event()
    keeper = threading.Thread(target=keep_lease, args=(task, ended, aborted))
    keeper.start()
    how, result = attempt.run(ledger, task, aborted)
    ended.set()
    settle(task, how, result)


def work():
    handled = worker_service_pb2.HandledType(type=TYPE, max_version=1)
    while not stopping.is_set():
        request = worker_service_pb2.ClaimTasksRequest(
            worker_name=NAME,
            worker_id=worker_id,
            queues=[LANE_QUEUE, QUEUE],
            types=[handled],
            max_tasks=2,
            wait_ms=2000,
            request_id=str(uuid.uuid4()),
        )
        try:
            tasks = call(claiming, "ClaimTasks", request, tries=6).tasks
        except grpc.RpcError:
            time.sleep(0.5)
            continue
        for task in tasks:
            handle(task)


start(END_S)
threads = [threading.Thread(target=work) for _ in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
finish()
