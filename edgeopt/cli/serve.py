"""``edgeopt serve``: a compiled model, or one tier of a plan, over HTTP and gRPC."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note
from edgeopt.errors import EdgeoptError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgeopt.serve.ray_tier import Load
    from edgeopt.serve.security import Security
    from edgeopt.serve.served import Served
    from edgeopt.serve.server import Server

TIER = "Serve this tier of a plan, or tile of a split, that 'edgeopt partition -o' wrote."
NEXT = "A server of the next tier, over HTTP or as grpc://HOST:PORT; several are tried in turn."
RAY = "Serve from so many processes on Ray Serve (needs edgeopt[ray])."
GRPC = "Serve over gRPC on this port, too (needs edgeopt[serve])."
INSECURE = "Allow other machines without token and TLS, in a network you trust."


@click.command()
@click.argument("directory", type=options.EXISTING_DIRECTORY)
@click.option("--tier", metavar="NAME", help=TIER)
@click.option("--next", "following", multiple=True, metavar="HOST:PORT", help=NEXT)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; others than loopback need --token-file and --certificate.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port to listen on; 0: any that is free."
)
@click.option("--grpc-port", type=click.IntRange(0, 65535), metavar="PORT", help=GRPC)
@click.option("--ray", "replicas", type=click.IntRange(min=1), metavar="REPLICAS", help=RAY)
@click.option(
    "--token-file",
    type=options.EXISTING_FILE,
    metavar="FILE",
    help="A file with the token that requests must bear, here and at --next.",
)
@click.option(
    "--certificate", type=options.EXISTING_FILE, metavar="CERT.pem", help="Certificate (with --certificate-key) for TLS."
)
@click.option("--certificate-key", type=options.EXISTING_FILE, metavar="KEY.pem", help="Private key of the certificate.")
@click.option(
    "--authority",
    type=options.EXISTING_FILE,
    metavar="CA.pem",
    help="Certificates that --next servers are checked by; they are asked over TLS.",
)
@click.option("--insecure", is_flag=True, help=INSECURE)
@options.threads
@options.key
@options.as_json
def serve(
    directory: Path,
    tier: str | None,
    following: tuple[str, ...],
    host: str,
    port: int,
    grpc_port: int | None,
    replicas: int | None,
    token_file: Path | None,
    certificate: Path | None,
    certificate_key: Path | None,
    authority: Path | None,
    insecure: bool,
    threads: int,
    key: Path | None,
    as_json: bool,
) -> None:
    """Serve the compiled model in DIRECTORY, or a tier of a plan, by the Open Inference Protocol (V2) until interrupted.

    It holds native code: serve only what you trust, or give --key.
    """
    from edgeopt.serve.security import Security
    from edgeopt.serve.server import Server

    token = _token(token_file)
    load = partial(_models, directory, tier, following, token, authority, threads, key)
    security = Security(token, certificate, certificate_key, insecure)
    if replicas is not None:
        _serve_on_ray(load, host, port, security, replicas)
        return
    models = load()
    server = Server(models, host, port, security)
    if grpc_port is not None:
        _serve_grpc(server, host, grpc_port)
    address = f"{'https' if certificate else 'http'}://{server.address[0]}:{server.address[1]}/v2"
    answer({"address": address, "models": list(models)}, now=True)
    note(f"serving {', '.join(models)} at {address}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        note("stopped")
    finally:
        server.server_close()


def _serve_on_ray(load: Load, host: str, port: int, security: Security, replicas: int) -> None:
    from edgeopt.serve import ray_tier

    load()  # says what is wrong here, and not in every replica
    try:
        ray_tier.start(load, host, port, security, replicas)
        note(f"serving from {replicas} processes at http://{host}:{port}/v2")
        signal.pause()
    except KeyboardInterrupt:
        note("stopped")
    finally:
        ray_tier.stop()


def _serve_grpc(server: Server, host: str, port: int) -> None:
    """Serve what ``server`` serves over gRPC, too, from threads of its own."""
    from edgeopt.serve.remotes import require_grpc

    require_grpc()
    from edgeopt.serve.grpc_server import GrpcServer

    beside = GrpcServer(server.models, host, port, server.security, server.limits, server.metrics)
    beside.start()
    note("serving over gRPC at {}:{}".format(*beside.address))


def _token(path: Path | None) -> str:
    from edgeopt.files import read_regular

    if path is None:
        return ""
    token = read_regular(path, 4096).decode("ascii", "replace").strip()
    if not token or not token.isprintable() or " " in token:
        raise EdgeoptError(f"'{path}' must hold one line of ASCII letters and digits, the token")
    return token


def _models(
    directory: Path,
    tier: str | None,
    following: tuple[str, ...],
    token: str,
    authority: Path | None,
    threads: int,
    key: Path | None,
) -> Mapping[str, Served]:
    from edgeopt.partition.grid.shipped import FILE as SPLIT
    from edgeopt.partition.grid.shipped import tiles_served
    from edgeopt.partition.hop import hops
    from edgeopt.partition.shipped import load_plan
    from edgeopt.runtime.artifact import load
    from edgeopt.serve.neighbours import Neighbours
    from edgeopt.serve.remotes import remote
    from edgeopt.serve.served import ServedModel

    if (directory / SPLIT).is_file():
        return tiles_served(directory, tier, threads, key)
    if tier is not None:
        beyond = Neighbours([remote(address, token, authority) for address in following]) if following else None
        return hops(load_plan(directory), tier, beyond, key)
    if (directory / "plan.json").is_file():
        raise EdgeoptError(f"'{directory}' is a plan; name the tier to serve with --tier")
    return {directory.resolve().name.removesuffix(".edgeopt"): ServedModel(load(directory, key), threads)}
