"""Sends random and mutated messages to every rpc of the generated modules, with generic stubs over mutual TLS.

Reads one line of JSON from standard input, and ends when standard input ends. Writes one JSON object a line: the number
of messages so far, and a problem if an answer was wrong.
"""
import json
import os
import random
import sys
import threading
import time

import grpc
from google.protobuf import descriptor as d
from google.protobuf import message_factory
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from holdfast.v1 import admin_service_pb2, task_service_pb2, worker_service_pb2

setup = json.loads(sys.stdin.readline())
CODES = set(setup["codes"])
REASONS = set(setup["reasons"])
LANES = 4
write_lock = threading.Lock()
messages = 0


def end_with_parent():
    sys.stdin.read()
    os._exit(1)


def report(**more):
    with write_lock:
        print(json.dumps({"messages": messages, **more}), flush=True)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def channel(files):
    pair = {}
    if "cert" in files:
        pair = {"certificate_chain": read(files["cert"]), "private_key": read(files["key"])}
    secrets = grpc.ssl_channel_credentials(root_certificates=read(files["ca"]), **pair)
    return grpc.secure_channel(setup["address"], secrets, options=[("grpc.enable_retries", 0)])


def text(name, rand, known):
    if rand.random() < 0.05:
        return rand.choice(["", "x" * 300, "\u202e", "\x00", "é" * 70])
    if name == "tenant":
        return rand.choice(["fuzz", "fuzz", "fuzz", "", "canary"])
    if name in ("queue", "queues", "name"):
        return rand.choice(["one", "two", "three"])
    if name == "type":
        return rand.choice(["echo", "sum"])
    if name in ("id", "task_id") and known["ids"]:
        return rand.choice(known["ids"])
    if name in ("tag", "encoding", "key_id", "reference", "page_token"):
        return ""
    return f"{name}-{rand.randrange(50)}"


def scalar(field, rand, known):
    if field.type in (d.FieldDescriptor.TYPE_STRING,):
        return text(field.name, rand, known)
    if field.type == d.FieldDescriptor.TYPE_BYTES:
        if field.name == "lease" and known["leases"]:
            lease = bytearray(rand.choice(known["leases"]))
            if lease and rand.random() < 0.4:
                lease[rand.randrange(len(lease))] = rand.randrange(256)
            return bytes(lease[: rand.randrange(len(lease) + 1)]) if rand.random() < 0.2 else bytes(lease)
        return rand.choice([b"{}", b"null", rand.randbytes(rand.randrange(60))])
    if field.type == d.FieldDescriptor.TYPE_BOOL:
        return rand.random() < 0.5
    if field.type in (d.FieldDescriptor.TYPE_DOUBLE, d.FieldDescriptor.TYPE_FLOAT):
        return rand.choice([0.0, 1.0, 2.5, -1.0, float("nan"), float("inf")])
    if field.type == d.FieldDescriptor.TYPE_ENUM:
        return rand.choice([value.number for value in field.enum_type.values] + [99])
    most = 2**32 - 1 if field.type == d.FieldDescriptor.TYPE_UINT32 else 2**31 - 1
    if field.name == "wait_ms":
        return rand.randrange(200)
    return rand.choice([0, 1, 2, 5, 100, 101, most])


def fill(message, rand, known, depth=0):
    for field in message.DESCRIPTOR.fields:
        needed = field.name in ("tenant", "queue", "queues", "types", "type", "item", "items", "spec", "id", "lease")
        if rand.random() > (0.97 if needed else 0.5):
            continue
        repeated = getattr(field, "is_repeated", None)
        if repeated is None:
            repeated = field.label == d.FieldDescriptor.LABEL_REPEATED
        count = rand.randint(1, 3) if repeated else 1
        for _ in range(count):
            if field.message_type is not None:
                if depth > 5:
                    continue
                inner = getattr(message, field.name)
                fill(inner.add() if repeated else inner, rand, known, depth + 1)
                if not repeated:
                    inner.SetInParent()
            elif repeated:
                getattr(message, field.name).append(scalar(field, rand, known))
            else:
                setattr(message, field.name, scalar(field, rand, known))
    return message


def mutate(data, rand):
    data = bytearray(data)
    kind = rand.randrange(7)
    at = rand.randrange(len(data) + 1)
    if kind == 0 and data:
        data[at % len(data)] ^= 1 << rand.randrange(8)
    elif kind == 1:
        data = data[:at]
    elif kind == 2:
        data[at:at] = rand.randbytes(rand.randint(1, 20))
    elif kind == 3:
        data[at:at] = data[: rand.randrange(len(data) + 1)] * rand.randint(1, 20)
    elif kind == 4:
        data += bytes([0x0B]) * rand.randint(1, 3_000)
    elif kind == 5:
        data += bytes([0x0A, 0x03, 0xFF, 0xFE, 0x80])
    else:
        data = bytearray(rand.randbytes(rand.randrange(200)))
    return bytes(data)


def problem_of(error):
    name = error.code().name
    status = rpc_status.from_call(error)
    if status is None:
        # The client itself ends a call whose deadline passes or whose connection is lost.
        if name in ("DEADLINE_EXCEEDED", "CANCELLED", "UNAVAILABLE"):
            return None
        return f"{name} without details: {error.details()}"
    if name == "INTERNAL" or name not in CODES:
        return f"{name}: {error.details()}"
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
            return None if info.reason in REASONS else f"{name} has the unknown reason {info.reason}"
    return f"{name} has no reason: {error.details()}"


def learn(method, data, known):
    answer = message_factory.GetMessageClass(method.output_type).FromString(data)
    if method.name in ("SubmitTask", "GetTask", "GetTaskByKey") and answer.task.id:
        known["ids"].append(answer.task.id)
    if method.name == "ClaimTasks":
        known["leases"] += [task.lease for task in answer.tasks]
    for values in known.values():
        del values[:-200]


def call(method, stub_channel, sent):
    path = f"/{method.containing_service.full_name}/{method.name}"
    same = {"request_serializer": None, "response_deserializer": None}
    timeout = 0.5
    if method.client_streaming:
        for _ in stub_channel.stream_stream(path, **same)(iter(sent), timeout=timeout):
            pass
        return None
    if method.server_streaming:
        for _ in stub_channel.unary_stream(path, **same)(sent[0], timeout=timeout):
            pass
        return None
    return stub_channel.unary_unary(path, **same)(sent[0], timeout=timeout)


def lane(number, methods, channels, until):
    global messages
    known = {"ids": [], "leases": []}
    case = number
    while time.monotonic() < until:
        rand = random.Random(setup["seed"] * 1_000_003 + case)
        method = methods[case // LANES % len(methods)]
        identity = rand.choice(["admin", "admin", "admin", *channels])
        make = message_factory.GetMessageClass(method.input_type)
        sent = []
        for _ in range(rand.randint(1, 4) if method.client_streaming else 1):
            data = fill(make(), rand, known).SerializeToString()
            sent.append(mutate(data, rand) if rand.random() < 0.5 else data)
        problem = None
        try:
            data = call(method, channels[identity], sent)
            if data is not None:
                learn(method, data, known)
        except grpc.RpcError as error:
            problem = problem_of(error)
        with write_lock:
            messages += len(sent)
        if problem is not None:
            hexes = [one.hex()[:4000] for one in sent]
            report(problem=problem, case=case, path=method.full_name, identity=identity, sent=hexes)
        case += LANES


def main():
    threading.Thread(target=end_with_parent, daemon=True).start()
    modules = (task_service_pb2, worker_service_pb2, admin_service_pb2)
    services = [service for module in modules for service in module.DESCRIPTOR.services_by_name.values()]
    methods = [method for service in services for method in service.methods]
    channels = {name: channel(files) for name, files in setup["clients"].items()}
    until = time.monotonic() + setup["seconds"]
    lanes = [threading.Thread(target=lane, args=(i, methods, channels, until)) for i in range(LANES)]
    for thread in lanes:
        thread.start()
    while any(thread.is_alive() for thread in lanes):
        time.sleep(0.5)
        report()
    report()
    sys.stdout.flush()
    os._exit(0)


main()
