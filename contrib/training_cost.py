#!/usr/bin/env python3
"""What a training run over S3 took, and what it costs; run_training.sh calls it at the end.

Measured are the requests and bytes of the way that was taken (the mount's counters, or the
files that were copied) and the times. Computed, and said to be so, is what the other way
would have asked the store for to use the same data. Prints a report, and writes the same
numbers as JSON. Needs only Python's own library.
"""
import argparse
import json
import math
import sys
from pathlib import Path

# US list prices of S3 Standard, in dollars, without free tiers. They change: today's stand at
# aws.amazon.com/s3/pricing and, of NAT gateways, at aws.amazon.com/vpc/pricing. This is the
# only place to change.
PRICES_FROM = ("US list prices of S3 Standard as noted in November 2026, without free tiers; "
               "today's:\naws.amazon.com/s3/pricing and aws.amazon.com/vpc/pricing")
DOLLARS_PER_REQUEST = {"GET": 0.0004 / 1000, "HEAD": 0.0004 / 1000, "LIST": 0.005 / 1000}
DOLLARS_PER_GB = {                          # 10^9 bytes
    "in the same region": 0.0,              # from S3 to EC2, by a gateway endpoint or public addresses
    "same region, through a NAT gateway": 0.045,
    "from another region": 0.02,
    "to the internet": 0.09,
}

LISTED = 1000                               # names a LIST tells at most
PART = 8 << 20                              # aws copies objects from this size on in parts of it

OTHER = {"s3-streaming": "aws", "aws": "s3-streaming"}


def dollars(usage, per_gb):
    requests = sum(n * DOLLARS_PER_REQUEST[kind] for kind, n in usage["requests"].items())
    return requests + usage["bytes"] / 1e9 * per_gb


def of_mount(stats):
    return {"requests": {kind: stats[f"s3_{kind.lower()}"] for kind in ("GET", "HEAD", "LIST")},
            "bytes": stats["s3_bytes"]}


def of_copy(sizes, objects):
    """sizes: of the objects copied; objects: how many there are, copied or not."""
    return {"requests": {"GET": sum(math.ceil(size / PART) if size >= PART else 1 for size in sizes),
                         "HEAD": 0, "LIST": max(1, math.ceil(objects / LISTED))},
            "bytes": sum(sizes)}


def of_streaming(stats, objects):
    """What the mount of a copy read of it, a mount of the bucket would have asked for. It lists
    once to see the bucket, then all of it for index.csv, which answers for each sample, too; of
    listings the bytes aren't known."""
    lists = 1 + max(1, math.ceil(objects / LISTED))
    return {"requests": {"GET": stats["dir_reads"], "HEAD": 0, "LIST": lists},
            "bytes": stats["dir_bytes"]}


def read_log(path):
    """The last event of each kind of the last run in a log.jsonl."""
    found = {}
    for line in path.read_text().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue                        # half a line, of a run that was killed
        kind = event.get("event")
        if kind in ("start", "resume"):
            found = {}
        found[kind] = event
    return found


def times(log, start, began, end):
    """Seconds since start. The log's clock starts a little after the trainer began; both end together."""
    told = {"all": end - start, "before_training": began - start}
    if "first_batch" in log and "end" in log:
        told["first_batch"] = end - log["end"]["time"] + log["first_batch"]["time"] - start
    if "epoch" in log:
        told |= {"wait_share": log["epoch"]["wait_share"],
                 "samples_per_s": log["epoch"]["samples_per_s"]}
    return told


# ---- the report --------------------------------------------------------------------------------

def size(n):
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= factor:
            return f"{n / factor:.2f} {unit}"
    return f"{n} bytes"


def requests(usage):
    return ", ".join(f"{n} {kind}" for kind, n in usage["requests"].items() if n) or "none"


def money(amount):
    return f"${amount:.2f}" if amount >= 1 else f"${amount:.6f}"


def report(run):
    way, other, t = run["way"], OTHER[run["way"]], run["seconds"]
    taken, instead = run["measured"], run["computed"]
    before = "mounting" if way == "s3-streaming" else "copying and mounting"
    print(f"\nWhat it took: {way} of {run['source']}, measured")
    print(f"  {before + ' took':<35} {t['before_training']:.1f} s")
    if "first_batch" in t:
        print(f"  {'the first batch was there after':<35} {t['first_batch']:.1f} s")
    print(f"  {'all of it took':<35} {t['all']:.1f} s")
    if "wait_share" in t:
        print(f"  {'the device waited for data':<35} {100 * t['wait_share']:.1f} % of the training")

    print(f"\nWhat it costs                        {way + ', measured':>26}{other + ', computed':>26}")
    rows = [("requests", requests(taken), requests(instead) if instead else "?"),
            ("bytes from the store", size(taken["bytes"]), size(instead["bytes"]) if instead else "?")]
    rows += [(case, money(dollars(taken, price)), money(dollars(instead, price)) if instead else "?")
             for case, price in DOLLARS_PER_GB.items()]
    for name, a, b in rows:
        print(f"  {name:<35}{a:>26}{b:>26}")
    if not instead:
        print("The mount shows no raw view: nobody knows what the other way would have taken.")
    print(f"{PRICES_FROM}.\n"
          "In the same region S3 takes money for requests alone: fewer bytes save time and network\n"
          "there, not dollars. Elsewhere they save both. Machines and disks are not in these figures.")


# ---- the command line --------------------------------------------------------------------------

def numbers(path):
    return [int(word) for word in path.read_text().split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--way", required=True, choices=OTHER)
    parser.add_argument("--source", required=True, help="the bucket, as people write it")
    parser.add_argument("--stats", required=True, type=Path, help="stats.json of the mount, at the end")
    parser.add_argument("--listing", type=Path, help="sizes of all objects, one a line")
    parser.add_argument("--copied", type=Path, help="sizes of those that were copied, one a line")
    parser.add_argument("--log", required=True, type=Path, help="log.jsonl of the trainer")
    parser.add_argument("--times", required=True, type=float, nargs=3, metavar="SECONDS",
                        help="when all, when the trainer began, and when it ended")
    parser.add_argument("--json", type=Path, help="where the numbers are written, too")
    o = parser.parse_args()

    stats = json.loads(o.stats.read_text())
    sizes = numbers(o.listing) if o.listing else None
    if o.way == "s3-streaming":
        measured, computed = of_mount(stats), of_copy(sizes, len(sizes)) if sizes else None
    else:
        measured, computed = of_copy(numbers(o.copied), len(sizes)), of_streaming(stats, len(sizes))
    run = {"way": o.way, "source": o.source, "measured": measured, "computed": computed,
           "objects": sizes and len(sizes), "object_bytes": sizes and sum(sizes),
           "seconds": times(read_log(o.log), *o.times),
           "dollars": {case: {"measured": dollars(measured, price),
                              "computed": computed and dollars(computed, price)}
                       for case, price in DOLLARS_PER_GB.items()},
           "prices": PRICES_FROM}
    if o.json:
        o.json.write_text(json.dumps(run, indent=2) + "\n")
    report(run)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"training_cost.py: no report: {error}")
