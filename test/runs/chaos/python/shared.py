"""The parts that the Python clients of `npm run chaos` share: hashes, ledger, connection, and the tie to the run."""

import hashlib
import json
import os
import signal
import sys
import threading
import time

import grpc

LEDGERS = os.environ["HOLDFAST_CHAOS_LEDGERS"]
NAME = os.environ["HOLDFAST_CHAOS_NAME"]
QUEUE = "chaos"
LANE_QUEUE = "chaos-lanes"
TYPE = "chaos"
CALL_S = 8

stopping = threading.Event()


def hash_of(*parts):
    return hashlib.sha256("|".join(str(part) for part in parts).encode()).hexdigest()[:32]


def input_hash(work):
    return hash_of(work["key"], work["lane"], work["seq"], work["plan"], work["ms"], work["text"])


def result_hash(result):
    return hash_of(result["key"], result["fencingToken"], result["by"], result["inputHash"])


class Ledger:
    """The ledger of this process. Each line is synced before the caller goes on."""

    def __init__(self):
        self.process = f"{NAME}:{os.getpid()}"
        self._file = os.open(os.path.join(LEDGERS, self.process), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def _write(self, kind, *words):
        # The monotonic clock of the machine is the same in all processes.
        now_ms = time.monotonic_ns() // 1000 / 1000
        line = " ".join(str(word) for word in (kind, now_ms, *words)) + "\n"
        # One write call appends the whole line, so lines of threads do not mix.
        os.write(self._file, line.encode())
        os.fdatasync(self._file)

    def began(self, task_id, fencing_token, attempt, key, hashed):
        self._write("began", task_id, fencing_token, attempt, key, hashed)

    def ended(self, task_id, fencing_token, how, hashed="-"):
        self._write("ended", task_id, fencing_token, how, hashed)

    def settled(self, task_id, fencing_token, how):
        self._write("settled", task_id, fencing_token, how)

    def acknowledged(self, key, task_id, hashed, lane, seq):
        self._write("acknowledged", key, task_id, hashed, lane or "-", seq)


class Connection:
    """A channel that is opened again after a failure, and when the certificate files were replaced."""

    def __init__(self, make_stub):
        self._make_stub = make_stub
        self._lock = threading.Lock()
        self._channel = None
        self._stub = None
        self._stamp = None

    def _files(self):
        return [os.environ[name] for name in ("HOLDFAST_CA", "HOLDFAST_KEY", "HOLDFAST_CERT")]

    def _open(self):
        ca, key, cert = (open(path, "rb").read() for path in self._files())
        credentials = grpc.ssl_channel_credentials(ca, key, cert)
        options = [
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1000),
            # Two channels of one process must not share a connection that is dead.
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_receive_message_length", 8 * 1024 * 1024),
        ]
        address = os.environ["HOLDFAST_URL"].removeprefix("holdfast://")
        return grpc.secure_channel(address, credentials, options)

    def stub(self):
        stamp = tuple(os.stat(path).st_mtime_ns for path in self._files())
        with self._lock:
            if self._stub is None or stamp != self._stamp:
                self._close()
                self._stamp = stamp
                self._channel = self._open()
                self._stub = self._make_stub(self._channel)
            return self._stub

    def _close(self):
        channel, self._channel, self._stub = self._channel, None, None
        # Calls of other threads may still wait for their answers on the old channel.
        if channel is not None:
            threading.Timer(CALL_S * 2, channel.close).start()

    def failed(self, stub):
        """Notes that a call on this stub found no server, so that the next call opens another channel."""
        with self._lock:
            if stub is self._stub:
                self._close()


RETRIED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
)
RETRIED_NUMBERS = tuple(code.value[0] for code in RETRIED)


def call(connection, method, request, timeout_s=CALL_S, tries=None):
    """Makes a unary call and repeats it until it is answered. Raises the error of a refusal."""
    tried = 0
    while True:
        stub = None
        try:
            stub = connection.stub()
            return getattr(stub, method)(request, timeout=timeout_s)
        except (grpc.RpcError, ValueError) as error:
            # A ValueError is the refusal of a channel that another thread has closed.
            code = error.code() if isinstance(error, grpc.RpcError) else grpc.StatusCode.UNAVAILABLE
            if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED) and stub is not None:
                connection.failed(stub)
            tried += 1
            if code not in RETRIED or (tries is not None and tried >= tries):
                raise
            time.sleep(min(1.0, 0.05 * 2 ** min(tried, 5)))


def start(ends_within_s=None):
    """
    Ties this process to the run: it ends when its standard input ends, and stops in order at SIGTERM. With
    `ends_within_s` it ends at the latest so many seconds after SIGTERM, with status 0: a call to a server that stands still
    has no answer in that time. Its tasks are then left to their leases, as those of a worker of the SDK are.
    """

    def watch():
        sys.stdin.buffer.read()
        os._exit(1)

    def fail(failure):
        sys.__excepthook__(*failure[:3])
        os._exit(1)

    # A process with a thread less would look like a slow one.
    threading.excepthook = fail
    threading.Thread(target=watch, daemon=True).start()

    def stop(*_):
        if ends_within_s is not None and not stopping.is_set():
            end = threading.Timer(ends_within_s, finish)
            end.daemon = True
            end.start()
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    print(json.dumps({"pid": os.getpid()}), flush=True)


def finish():
    """Ends this process at once: threads of gRPC would keep it for some seconds."""
    os._exit(0)
