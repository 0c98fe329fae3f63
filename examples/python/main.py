"""The handlers of the example. A handler gets the input of its task, and an event that is set when it must stop."""

import time

import worker


def greet(value, stop):
    return f"Hello {value['name']}"


def nap(value, stop):
    if stop.wait(value["seconds"]):
        print("stopped", flush=True)
        raise InterruptedError("the task was cancelled")
    return "slept"


failed = set()


def shaky(value, stop):
    if value["id"] not in failed:
        failed.add(value["id"])
        raise RuntimeError("fails the first time")
    return time.strftime("%Y")


worker.work({"greet": greet, "nap": nap, "shaky": shaky})
