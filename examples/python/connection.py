"""Opens a gRPC channel to the server that HOLDFAST_URL names, with the certificates that the SDK would use."""

import os

import grpc


def connect():
    scheme, address = os.environ["HOLDFAST_URL"].rstrip("/").split("://")
    if scheme == "holdfast+plaintext":
        return grpc.insecure_channel(address)
    ca, cert, key = (open(os.environ[name], "rb").read() for name in ("HOLDFAST_CA", "HOLDFAST_CERT", "HOLDFAST_KEY"))
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(ca, key, cert))
