"""Runs the handler of one task, as the worker of the SDK does, with the same lines in the ledger."""

import json
import time

from shared import input_hash, result_hash


def run(ledger, task, aborted):
    """
    Runs the handler of an assignment and returns how it ended and its result, if it has one. `aborted` is an event that
    is set if the attempt must stop.
    """
    work = json.loads(task.spec.payload.bytes)
    hashed = input_hash(work)
    token = task.fencing_token
    ledger.began(task.task_id, token, task.attempt, task.idempotency_key, hashed)
    if aborted.wait(work["ms"] / 1000):
        ledger.ended(task.task_id, token, "aborted")
        return "aborted", None
    plan = work["plan"]
    how = "well"
    if plan == "fatal":
        how = "fatal"
    elif plan == "once" and task.attempt == 1:
        how = "failed"
    elif plan == "snooze" and token % 2 == 0:
        how = "snoozed"
    if how != "well":
        ledger.ended(task.task_id, token, how)
        return how, None
    result = {"key": work["key"], "fencingToken": token, "by": ledger.process, "inputHash": hashed}
    ledger.ended(task.task_id, token, how, result_hash(result))
    return how, result
