"""`python -m bench realtime`: what to measure, and the run."""

import argparse
import os
import resource
import sys
import time
from collections.abc import Sequence

from bench.realtime import marathon, native, report
from bench.realtime.campaign import Campaign
from bench.realtime.measure import PLANS
from bench.realtime.peers import PEERS, MissingError
from bench.realtime.targets import CLIENT_CORE, SERVER_CORE, Address, Credentials, Launcher, floors, kanal

SOCKETS = 6_000  # descriptors that server and client need each
QUICK = (3, 1.5)  # rounds, seconds: under five minutes, floors and Kanal only
FULL = (5, 3.0)


def main(arguments: Sequence[str]) -> int:
    """Measures, prints, keeps."""
    chosen = _parse(arguments)
    if not {SERVER_CORE, CLIENT_CORE} <= os.sched_getaffinity(0):
        print("bench realtime: needs two processors, one for the server and one for the client", file=sys.stderr)
        return 2
    if not _raise_descriptors():
        print(f"bench realtime: needs {SOCKETS:,} descriptors: ulimit -n", file=sys.stderr)
        return 2
    if chosen.soak or chosen.presence or chosen.many_channels:
        return marathon.run(chosen.soak, presence=chosen.presence, many_channels=chosen.many_channels)
    try:
        programs = native.build()
    except native.CannotBuildError as error:
        print(f"bench realtime: {error}", file=sys.stderr)
        return 2
    campaign = Campaign()
    launchers: list[Launcher] = [*floors(programs.floor), kanal(), *_peers(chosen, campaign)]
    if chosen.broker:
        launchers.append(kanal(chosen.broker))
    rounds, seconds = QUICK if chosen.quick else FULL
    rounds, seconds = chosen.rounds or rounds, chosen.seconds or seconds
    started = time.monotonic()
    campaign.play(launchers, report.find_plans(chosen.figure), programs.load, rounds, seconds)
    found = report.rows(campaign, [each.name for each in launchers])
    print(report.table(found))
    print("\n" + report.goals(found))
    for name, reason in campaign.absent.items():
        print(f"absent: {name}: {reason}")
    for (server, plan), said in campaign.failures.items():
        print(f"failed: {server}, {plan}: {len(said)} of {rounds} rounds: {said[-1]}")
    path = report.save(found, campaign, {"rounds": rounds, "seconds": seconds})
    print(f"\n{time.monotonic() - started:.0f} s; kept in {path}")
    return 1 if campaign.absent.get("kanal") else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench realtime", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="floors and Kanal only, in less than five minutes")
    parser.add_argument("--rounds", type=int, help=f"default {FULL[0]}")
    parser.add_argument("--seconds", type=float, help=f"of each run that are measured, default {FULL[1]:g}")
    parser.add_argument("--figure", action="append", default=[], choices=[plan.key for plan in PLANS])
    parser.add_argument("--only", action="append", choices=[*PEERS, "none"], help="peers from the registries")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME=URL", help="soketi=ws://127.0.0.1:6001/app/KEY"
    )
    parser.add_argument("--peer-app", metavar="ID:KEY:SECRET", help="for the HTTP API and the channels of --peer")
    parser.add_argument("--broker", metavar="URL", help="Kanal once more, over this: redis://127.0.0.1:6379/0")
    parser.add_argument(
        "--soak", nargs="?", type=float, const=10.0, default=0.0, metavar="MINUTES",
        help="instead: a day's traffic in so many minutes (10), and what memory does",
    )  # fmt: skip
    parser.add_argument("--presence", action="store_true", help="instead: members who come and go all the time")
    parser.add_argument("--many-channels", action="store_true", help="instead: 50,000 channels on one node")
    return parser.parse_args(arguments)


def _peers(chosen: argparse.Namespace, campaign: Campaign) -> list[Launcher]:
    found: list[Launcher] = []
    wanted = chosen.only or ([] if chosen.quick else list(PEERS))
    for name in wanted:
        if name in PEERS:
            try:
                found.append(PEERS[name]())
            except MissingError as missing:
                campaign.absent[name] = str(missing)
    known = Credentials(*chosen.peer_app.split(":", 2)) if chosen.peer_app else None
    for each in chosen.peer:
        name, _, url = each.partition("=")
        found.append(Address(name, url, known))
    return found


def _raise_descriptors() -> bool:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard == resource.RLIM_INFINITY or hard >= SOCKETS
