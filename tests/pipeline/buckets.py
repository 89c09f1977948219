"""Moto's S3 server: quick, in a thread, and it takes any keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3  # comes with moto
from moto.server import ThreadedMotoServer

import s3


@contextmanager
def serving(keys: s3.Keys) -> Iterator[tuple[str, Any]]:
    """The address of a server that has our bucket, and a client of it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=keys.access,
        aws_secret_access_key=keys.secret,
    )
    client.create_bucket(Bucket=s3.BUCKET)
    try:
        yield url, client
    finally:
        server.stop()
