"""
A worker without the SDK on the streams Work and Report. It opts in to `reports_begun`: it keeps some tasks before it calls
their handlers, and reports each beginning before the call.
"""

import collections
import json
import queue as queues
import threading
import time
import uuid

import grpc
from holdfast.v1 import task_pb2, worker_service_pb2 as wire, worker_service_pb2_grpc

import attempt
from shared import LANE_QUEUE, NAME, QUEUE, TYPE, Connection, Ledger, finish, start, stopping

SLOTS = 4
CREDITS = 12
CREDIT_BYTES = 4_000_000
HEARTBEAT_S = 10
KEEP_ALIVE_S = 15
OPEN_S = 8
# How long running handlers may go on after SIGTERM, and how long the answers to their settlements are awaited then.
DRAIN_S = 8
ANSWERS_S = 3
END_S = 12
SNOOZE_MS = 500
worker_id = str(uuid.uuid4())
connection = Connection(worker_service_pb2_grpc.WorkerServiceStub)
ledger = Ledger()
RETRIED = (8, 10, 13, 14)
OUTCOMES = {
    "well": wire.OUTCOME_SUCCEEDED,
    "failed": wire.OUTCOME_FAILED,
    "fatal": wire.OUTCOME_FATAL,
    "snoozed": wire.OUTCOME_SNOOZED,
    "aborted": wire.OUTCOME_RELEASED,
}


class Held:
    """A task that this worker holds, from its assignment until its settlement is answered."""

    def __init__(self, task, stream, place):
        self.task = task
        self.stream = stream
        self.place = place
        self.begun = False
        self.must_record = task.alone or task.records_begin
        self.aborted = threading.Event()
        # Set once the server has recorded the beginning.
        self.recorded = threading.Event()
        self.settlement = None
        self.how = None


class Streams:
    """A Work stream with its Report stream."""

    def __init__(self, worker):
        self.worker = worker
        self.to_work = queues.Queue()
        self.to_report = queues.Queue()
        self.over = threading.Event()
        self.places = 0
        self.seq = 0
        self.batches = {}
        self.calls = []

    def run(self):
        """Returns when the Work stream has ended."""
        stub = None
        try:
            stub = connection.stub()
            self._work(stub)
        except (grpc.RpcError, ValueError) as error:
            code = error.code() if isinstance(error, grpc.RpcError) else None
            if stub is not None and code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                connection.failed(stub)
        finally:
            self.over.set()
            self.to_work.put(None)
            self.to_report.put(None)
            for call in self.calls:
                call.cancel()

    def _work(self, stub):
        handled = wire.HandledType(type=TYPE, max_version=1)
        hello = wire.WorkHello(
            worker_name=NAME,
            worker_id=worker_id,
            queues=[LANE_QUEUE, QUEUE],
            types=[handled],
            tasks=self.worker.free_credits(),
            bytes=CREDIT_BYTES,
            reports_begun=True,
            runs_alone=False,
        )
        self.to_work.put(wire.WorkRequest(hello=hello))
        call = stub.Work(iter(self.to_work.get, None))
        self.calls.append(call)
        # A stream to a server that stands still has no welcome.
        silent = threading.Timer(OPEN_S, call.cancel)
        silent.start()
        for message in call:
            silent.cancel()
            kind = message.WhichOneof("message")
            if kind == "welcome":
                threading.Thread(target=self._report, args=(stub, message.welcome.session_id), daemon=True).start()
            elif kind == "assignments":
                self.seq = message.assignments.seq
                for task in message.assignments.tasks:
                    self.places += 1
                    self.worker.assigned(Held(task, self, self.places))
                self.to_work.put(wire.WorkRequest(received=wire.AssignmentsReceived(seq=self.seq)))
            elif kind == "cancel":
                self.worker.cancel(message.cancel)
            elif kind == "drain":
                self.worker.give_back_unbegun(self)
                self.to_work.put(None)

    def _report(self, stub, session_id):
        self.to_report.put(wire.ReportRequest(hello=wire.ReportHello(session_id=session_id, worker_id=worker_id)))
        self.worker.connected(self)
        call = stub.Report(iter(self.to_report.get, None))
        self.calls.append(call)
        try:
            for message in call:
                kind = message.WhichOneof("message")
                if kind == "settled":
                    held = self.batches.pop(message.settled.batch, [])
                    self.worker.settled(held, message.settled.results)
                    if not message.settled.credited:
                        self.credit(len(held))
                elif kind == "heartbeats":
                    self.worker.renewed(self.batches.pop(message.heartbeats.batch, []), message.heartbeats.answers)
        except (grpc.RpcError, ValueError):
            pass
        # Settlements without an answer are sent on the next streams.
        for call in self.calls:
            call.cancel()

    def credit(self, tasks):
        credit = wire.Credit(tasks=tasks, bytes=tasks * 50_000)
        self.to_work.put(wire.WorkRequest(credit=credit))

    def begin(self, held):
        received = wire.AssignmentsReceived(seq=self.seq)
        if held.stream is self:
            received.begun.append(held.place)
        else:
            token = held.task.fencing_token
            begun = wire.BegunAttempt(task_id=held.task.task_id, fencing_token=token, lease=held.task.lease)
            received.attempts.append(begun)
        self.to_work.put(wire.WorkRequest(received=received))

    def settle(self, batch, helds):
        self.batches[batch] = helds
        items = [held.settlement for held in helds]
        self.to_report.put(wire.ReportRequest(settlements=wire.Settlements(batch=batch, items=items)))

    def heartbeat(self, batch, helds):
        self.batches[batch] = helds
        items = [wire.HeartbeatItem(lease=held.task.lease, begun=held.begun or held.must_record) for held in helds]
        self.to_report.put(wire.ReportRequest(heartbeats=wire.Heartbeats(batch=batch, items=items)))

    def keep_alive(self):
        self.to_work.put(wire.WorkRequest(keep_alive=wire.KeepAlive()))
        self.to_report.put(wire.ReportRequest(keep_alive=wire.KeepAlive()))


class Worker:
    def __init__(self):
        self._lock = threading.RLock()
        self._held = {}
        self._waiting = collections.deque()
        self._ready = threading.Semaphore(0)
        self._streams = None
        self._batch = 0

    def free_credits(self):
        with self._lock:
            return max(0, CREDITS - len(self._held))

    def assigned(self, held):
        with self._lock:
            self._held[held.task.lease] = held
            self._waiting.append(held)
        if held.must_record:
            self._heartbeat([held])
        self._ready.release()

    def connected(self, streams):
        """Sends again everything that has no answer, and reports the running attempts, on new streams."""
        with self._lock:
            before, self._streams = self._streams, streams
            # Tasks of an earlier stream that have not begun are given back by the server, and must not begin.
            for held in [one for one in self._held.values() if not one.begun and one.stream is not streams]:
                self._drop(held)
            running = list(self._held.values())
            for held in running:
                if held.settlement is not None:
                    self._settle([held])
                else:
                    streams.begin(held)
        del before

    def _drop(self, held):
        held.aborted.set()
        self._held.pop(held.task.lease, None)

    def _next_batch(self):
        self._batch += 1
        return self._batch

    def _settle(self, helds):
        if self._streams is not None:
            self._streams.settle(self._next_batch(), helds)

    def _heartbeat(self, helds):
        with self._lock:
            if self._streams is not None and helds:
                self._streams.heartbeat(self._next_batch(), helds)

    def settled(self, helds, results):
        with self._lock:
            again = []
            for held, result in zip(helds, results):
                if result.HasField("error") and result.error.code in RETRIED:
                    again.append(held)
                    continue
                self._held.pop(held.task.lease, None)
                # An unbegun task that was given back is no settlement of a handler.
                if not result.HasField("error") and held.how is not None:
                    ledger.settled(held.task.task_id, held.task.fencing_token, held.how)
        if again:
            threading.Timer(0.5, self._settle_again, args=(again,)).start()

    def _settle_again(self, helds):
        with self._lock:
            self._settle([held for held in helds if held.task.lease in self._held])

    def renewed(self, helds, answers):
        with self._lock:
            for held, answer in zip(helds, answers):
                if answer.verdict == wire.HEARTBEAT_VERDICT_RENEWED:
                    held.recorded.set()
                elif answer.verdict in (wire.HEARTBEAT_VERDICT_LEASE_LOST, wire.HEARTBEAT_VERDICT_CANCEL):
                    held.aborted.set()

    def cancel(self, message):
        with self._lock:
            for held in list(self._held.values()):
                if held.task.task_id != message.task_id or held.task.fencing_token != message.fencing_token:
                    continue
                if not held.begun:
                    self._give_back(held)
                elif message.cause not in (wire.CANCEL_CAUSE_PAUSED, wire.CANCEL_CAUSE_REBALANCE):
                    held.aborted.set()

    def give_back_unbegun(self, streams):
        with self._lock:
            for held in list(self._held.values()):
                if not held.begun and held.stream is streams:
                    self._give_back(held)

    def _give_back(self, held):
        held.aborted.set()
        if held.settlement is None:
            held.settlement = wire.Settlement(lease=held.task.lease, outcome=wire.OUTCOME_RELEASED, begun=False)
            self._settle([held])

    def _next(self):
        """Returns the next task whose handler is to be called now, reported as begun, or None."""
        if not self._ready.acquire(timeout=0.5):
            return None
        with self._lock:
            if not self._waiting:
                return None
            held = self._waiting.popleft()
            if held.must_record and not held.recorded.is_set() and held.task.lease in self._held:
                # Its beginning is not stored yet.
                self._waiting.append(held)
                threading.Timer(0.2, self._ready.release).start()
                return None
            streams = self._streams
            if held.aborted.is_set() or held.task.lease not in self._held or streams is not held.stream:
                return None
            if streams.over.is_set():
                return None
            held.begun = True
            streams.begin(held)
            return held

    def run_slot(self):
        while not stopping.is_set():
            held = self._next()
            if held is None:
                continue
            how, result = attempt.run(ledger, held.task, held.aborted)
            settlement = wire.Settlement(lease=held.task.lease, outcome=OUTCOMES[how], begun=True, message="planned")
            if how == "well":
                body = json.dumps(result).encode()
                settlement.result.CopyFrom(task_pb2.Payload(content_type="application/json", bytes=body))
            if how == "snoozed":
                settlement.after_ms = SNOOZE_MS
            with self._lock:
                held.how = how
                held.settlement = settlement
                self._settle([held])

    def beat(self):
        beats = 0
        while True:
            time.sleep(HEARTBEAT_S / 2)
            beats += 1
            with self._lock:
                self._heartbeat([held for held in self._held.values() if held.settlement is None])
                if beats % 3 == 0 and self._streams is not None:
                    self._streams.keep_alive()

    def stay_connected(self):
        while not stopping.is_set():
            Streams(self).run()
            time.sleep(0.3)

    def abort_all(self):
        """Stops the running handlers, so that their tasks are given back."""
        with self._lock:
            for held in self._held.values():
                held.aborted.set()

    def drain(self):
        """Gives back everything that has not begun, and waits for the answers to all settlements."""
        with self._lock:
            for held in list(self._held.values()):
                if not held.begun:
                    self._give_back(held)
        until = time.monotonic() + ANSWERS_S
        while self._held and time.monotonic() < until:
            time.sleep(0.1)


start(END_S)
worker = Worker()
threading.Thread(target=worker.stay_connected, daemon=True).start()
threading.Thread(target=worker.beat, daemon=True).start()
slots = [threading.Thread(target=worker.run_slot) for _ in range(SLOTS)]
for slot in slots:
    slot.start()
stopping.wait()
drained_at = time.monotonic() + DRAIN_S
for slot in slots:
    slot.join(max(0.0, drained_at - time.monotonic()))
worker.abort_all()
for slot in slots:
    slot.join()
worker.drain()
finish()
