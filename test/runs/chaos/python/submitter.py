"""
A submitter without the SDK: one thread for each lane, and some for tasks without an ordering key. Some keys are sent again,
with the same input, which must give the same task, and with another one, which must be refused.
"""

import json
import os
import random
import sys
import threading
import time

import grpc
from holdfast.v1 import task_pb2, task_service_pb2, task_service_pb2_grpc

from shared import LANE_QUEUE, NAME, QUEUE, RETRIED_NUMBERS, TYPE, Connection, Ledger, call, finish, input_hash, start, stopping

seed, per_s, lanes = (int(word) for word in sys.argv[1:4])
BATCH = 4
connection = Connection(task_service_pb2_grpc.TaskServiceStub)
ledger = Ledger()
_numbers = iter(range(1_000_000_000))
_lock = threading.Lock()


def next_work(lane="", seq=0):
    with _lock:
        number = next(_numbers)
    # Keys of an earlier process of this name must not be used again.
    key = f"{NAME}-{os.getpid()}-{number}"
    chance = random.Random(f"{seed} {key}")
    plan = chance.choices(["well", "once", "snooze", "fatal"], [92, 4, 2, 2])[0]
    ms = 0 if plan == "fatal" else chance.randrange(40 if lane else 200)
    text = "%x" % chance.getrandbits(chance.choice([64, 512, 40_000]))
    return {"key": key, "lane": lane, "seq": seq, "plan": plan, "ms": ms, "text": text}


def item_of(work):
    payload = task_pb2.Payload(content_type="application/json", bytes=json.dumps(work).encode())
    spec = task_pb2.Spec(type=TYPE, type_version=1, ordering_key=work["lane"], payload=payload)
    retry = task_pb2.RetryPolicy(max_attempts=5, base_ms=200, max_ms=1000)
    options = task_pb2.SubmitOptions(retry=retry, attempt_timeout_ms=600_000, max_losses=1000)
    return task_service_pb2.SubmitItem(idempotency_key=work["key"], spec=spec, options=options)


def note(work, task_id):
    ledger.acknowledged(work["key"], task_id, input_hash(work), work["lane"], work["seq"])


def submit_one(work):
    queue = LANE_QUEUE if work["lane"] else QUEUE
    request = task_service_pb2.SubmitTaskRequest(queue=queue, item=item_of(work))
    note(work, call(connection, "SubmitTask", request).task.id)


def submit_batch(works):
    left = works
    while left:
        request = task_service_pb2.SubmitTasksRequest(queue=QUEUE, items=[item_of(work) for work in left])
        again = []
        for work, result in zip(left, call(connection, "SubmitTasks", request).results, strict=True):
            if not result.HasField("error"):
                note(work, result.id)
            elif result.error.code in RETRIED_NUMBERS:
                again.append(work)
            else:
                raise RuntimeError(f"{work['key']} was refused: {result.error}")
        left = again
        if left:
            time.sleep(0.2)


def submit_other_input(work):
    """Sends a key that is taken with another input. An answer that accepts it is noted, and so found by the judge."""
    other = {**work, "text": work["text"] + "!"}
    try:
        submit_one(other)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.ALREADY_EXISTS:
            raise


def run_lane(lane):
    seq = 0
    while not stopping.is_set():
        submit_one(next_work(lane, seq))
        seq += 1
        stopping.wait(random.uniform(0.2, 1.2))


def run_steady(share):
    count = 0
    while not stopping.is_set():
        began = time.monotonic()
        works = [next_work() for _ in range(BATCH)]
        submit_batch(works)
        count += 1
        if count % 8 == 0:
            submit_batch(works)
        if count % 8 == 4:
            submit_other_input(works[0])
        stopping.wait(max(0.0, BATCH * share / per_s - (time.monotonic() - began)))


start()
STEADY = 2
threads = [threading.Thread(target=run_steady, args=(STEADY,)) for _ in range(STEADY)]
threads += [threading.Thread(target=run_lane, args=(f"{NAME}-{os.getpid()}-lane-{i}",)) for i in range(lanes)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
finish()
