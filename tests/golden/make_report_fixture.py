#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes report/records.jsonl, the run that the tests of tables and figures read.

It follows results/README.md, schema 1. The numbers are invented: a model of ns/op and of latency for
each variant, with seeded noise, so that the same file comes out of every call. It holds what readers
must cope with: a variant that always crashes in one cell, one that runs out of memory in some
repetitions, cells that are skipped or unavailable, an A/A twin, warnings, a dispatch without malloc.

    python3 make_report_fixture.py [FOLDER]     (default: report, beside this script)

The golden texts beside it are written by the tests themselves when PB_GOLDEN_UPDATE is set.
"""
import base64
import hashlib
import json
import math
import os
import random
import struct
import sys
import zlib

RUN = "20250302-101112-c0ffee"
SEED = 20250302
BLOCKS = 6
REFERENCE = "jemalloc"

# label, ns of an uncontended pair, what each further thread multiplies it by, RSS over live, p99 factor
VARIANTS = [
    ("null", 1.4, 1.0, 1.00, 1.2),
    ("pool", 24.0, 4.2, 1.18, 2.5),
    ("zone", 11.0, 5.1, 1.04, 2.2),
    ("zone:lock=ticket", 13.5, 3.6, 1.04, 2.0),
    ("lookaside", 8.2, 2.1, 1.12, 1.6),
    ("lookaside:scope=thread", 2.1, 1.02, 1.15, 1.3),
    ("glibc", 5.0, 1.05, 1.31, 3.0),
    ("jemalloc", 3.4, 1.03, 1.22, 2.1),
    ("jemalloc@aa", 3.4, 1.03, 1.22, 2.1),
    ("mimalloc", 2.9, 1.04, 1.26, 1.9),
    ("tcmalloc", 3.35, 1.04, 1.41, 2.4),
]
INLINE = [
    ("null", 0.6, 1.0, 1.00, 1.2),
    ("floor", 0.31, 1.0, 1.00, 1.0),
    ("zone", 10.2, 5.1, 1.04, 2.2),
    ("lookaside:scope=thread", 1.4, 1.02, 1.15, 1.3),
]

# workload, parameters, threads, dispatch, variants, what the workload multiplies the time by
GROUPS = [
    ("pair", {"size": 64}, 1, "call", VARIANTS, 1.0),
    ("pair", {"size": 64}, 2, "call", VARIANTS, 1.0),
    ("larson", {"size": 64}, 1, "call", VARIANTS, 2.3),
    ("larson", {"size": 64}, 2, "call", VARIANTS, 2.6),
    ("handoff", {"size": 256}, 2, "call", VARIANTS, 4.0),
    ("pair", {"size": 64}, 1, "inline", INLINE, 1.0),
]

METRICS = {
    "ns_per_op": {"unit": "ns", "better": -1, "help": "wall time of one worker for one step"},
    "ops_per_s": {"unit": "1/s", "better": 1, "help": "steps of all workers in a second"},
    "live_peak_bytes": {"unit": "bytes", "better": 0, "help": "most live bytes"},
    "rss_peak_bytes": {"unit": "bytes", "better": -1, "help": "resident memory at its peak"},
    "rss_over_live": {"unit": "1", "better": -1, "help": "resident over live bytes at the peak"},
    "overlap": {"unit": "1", "better": 1, "help": "share of the window that all workers ran"},
    "preemptions": {"unit": "1", "better": -1, "help": "times that a worker was taken off"},
    "minor_faults": {"unit": "1", "better": -1, "help": "page faults served from memory"},
    "steady": {"unit": "1", "better": 0, "help": "1 where the rate had settled"},
}

HALF, SUB_BITS = 128, 8  # HdrHistogram, 2 digits, lowest 1: 256 sub-buckets
HIGHEST = 3600 * 10**9


def hdr_index(value):
    """The place of a value in the array of counts."""
    bucket = max((value | (2 * HALF - 1)).bit_length() - SUB_BITS, 0)
    return ((bucket + 1) << 7) + (value >> bucket) - HALF


def zigzag(value):
    """ZigZag LEB128-64b9B."""
    value = (value << 1 ^ value >> 63) & 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value >= 0x80 and len(out) < 8:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def hdr_encode(samples):
    """HdrHistogram's V2 compressed encoding in base64; samples: {value: count}."""
    counts = {}
    for value, count in samples.items():
        index = hdr_index(value)
        counts[index] = counts.get(index, 0) + count
    payload, at = b"", 0
    for index in sorted(counts):
        if index > at:
            payload += zigzag(at - index)
        payload += zigzag(counts[index])
        at = index + 1
    raw = struct.pack(">iiiiqqd", 0x1C849313, len(payload), 0, 2, 1, HIGHEST, 1.0) + payload
    packed = zlib.compress(raw, 9)
    return base64.b64encode(struct.pack(">ii", 0x1C849314, len(packed)) + packed).decode()


def latencies(rng, typical, factor, count):
    """Samples of one call in steps of the clock: a body, a slower share, a rare tail."""
    samples = {}
    for _ in range(count):
        u = rng.random()
        ns = typical * math.exp(rng.gauss(0, 0.12)) + 18
        if u > 0.97:
            ns += typical * factor * rng.random() * 4
        if u > 0.9985:
            ns += 400 * factor * math.exp(rng.gauss(0, 0.5))
        if u > 0.9997:
            ns += 9000 * math.exp(rng.gauss(0, 0.6))
        value = max(10, int(ns / 10) * 10)
        samples[value] = samples.get(value, 0) + 1
    return samples


def line(record):
    """A record as a line, with its checksum."""
    body = json.dumps(record, separators=(",", ":"), ensure_ascii=False)[:-1]
    return '%s,"crc":"%08x"}' % (body, zlib.crc32(body.encode()))


def hash16(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def verdict(workload, threads, dispatch, alloc, block):
    """(status, reason) of the cells that do not end well."""
    if workload == "larson" and threads == 2 and alloc == "zone":
        return "crashed", "killed by signal 11 (segmentation fault)"
    if workload == "handoff" and alloc == "pool" and block in (1, 4):
        return "oom", "the child reached its limit of 512 MiB"
    if workload == "handoff" and alloc == "lookaside:scope=thread":
        return "skipped", "frees by other threads are not supported"
    if workload == "pair" and threads == 2 and alloc == "tcmalloc":
        return "unavailable", "libtcmalloc_minimal.so.4 is not installed"
    return "ok", ""


def metrics(rng, entry, workload, threads, weight, noise):
    _, base, contended, lean, _ = entry
    ns = base * weight * contended ** (threads - 1) * math.exp(noise + rng.gauss(0, 0.012))
    live = 64 * threads if workload == "pair" else 64 * 1024 * 1024
    rss = (live + (184 << 10 if workload == "pair" else 0)) * lean * math.exp(rng.gauss(0, 0.002))
    preempted = 3 if rng.random() < 0.04 else 0
    return {
        "ns_per_op": round(ns, 4),
        "ops_per_s": round(threads * 1e9 / ns, 1),
        "live_peak_bytes": live,
        "rss_peak_bytes": round(rss),
        "rss_over_live": round(rss / live, 4),
        "overlap": round(0.91 if preempted else 0.999 - 0.004 * rng.random(), 4),
        "preemptions": preempted,
        "minor_faults": 12 if entry[0] == "glibc" and threads == 2 else 0,
        "steady": 0 if entry[0] == "pool" and workload == "handoff" else 1,
    }


def rep(rng, group, entry, block, order, noise):
    workload, params, threads, dispatch, _, weight = group
    alloc = entry[0]
    parts = [workload, "alloc:" + alloc] + ["%s:%s" % kv for kv in params.items()]
    if dispatch != "call":
        parts.append("dispatch:" + dispatch)
    parts.append("threads:%d" % threads)
    name = "/".join(parts)
    status, reason = verdict(workload, threads, dispatch, alloc, block)
    record = {
        "v": 1, "kind": "rep", "run": RUN, "cell": hash16(name), "name": name, "block": block,
        "order": order, "status": status, "reason": reason, "alloc": alloc, "workload": workload,
        "params": params, "threads": threads, "workers": threads, "pin": "core",
        "memory": "default", "dispatch": dispatch, "seed": SEED, "scale": 1.0, "sample_gap": 256,
    }
    if status == "ok":
        m = metrics(rng, entry, workload, threads, weight, noise)
        steps = 200000 * threads
        record.update({
            "stream_hash": hash16("%s/%s/%d" % (workload, params, threads)),
            "ops": {"steps": steps, "allocs": steps, "frees": steps, "reallocs": 0,
                    "exhausted": 0, "damaged": 0},
            "wall_ns": int(m["ns_per_op"] * steps), "m": m, "hist": {},
            "version": alloc.split("@")[0].split(":")[0] + " 1.0",
            "placement": ",".join("P#%d" % i for i in range(threads)),
            "oversubscribed": False, "banked": False,
        })
        for which, share in (("alloc", 0.6), ("free", 0.4)):
            count = 2500
            typical = entry[1] * weight * entry[2] ** (threads - 1) * share
            samples = latencies(rng, typical, entry[4], count)
            record["hist"][which] = {"codec": "hdr2", "n": count, "data": hdr_encode(samples)}
    record.update({
        "pid": 4000 + order, "t_utc": "2025-03-02T10:%02d:%02dZ" % (12 + order // 60, order % 60),
        "warn": ["a worker was preempted"] if record.get("m", {}).get("preemptions") else [],
    })
    if record.get("m", {}).get("preemptions"):
        record.update({"attempt": 3, "disturbed": ["overlap: 0.91 below 0.95", "preempted: 3 times"]})
    return record


def header():
    text = "title = \"the fixture of the tests\"\n"
    return {
        "v": 1, "kind": "run", "run": RUN, "t_utc": "2025-03-02T10:11:12Z",
        "matrix": {"name": "fixture", "title": "the fixture of the tests",
                   "sha256": hashlib.sha256(text.encode()).hexdigest(), "text": text},
        "options": {}, "seed": SEED, "blocks": BLOCKS, "reference": REFERENCE,
        "exploratory": True, "metrics": METRICS,
        "suite": {"version": "0.1.0", "git": "0123456789ab", "dirty": False,
                  "compiler": "gcc 12.2.0", "flags": "-O2", "sanitizer": "", "check": 0},
        "machine": {"host": "bench", "cpu": "Example CPU 9000", "cpus": 2, "units": 2,
                    "topology": "pack:1 core:2 pu:1", "kernel": "Linux 6.1.0-example x86_64",
                    "libc": "glibc 2.36", "thp": "madvise", "aslr": 2, "governor": "performance",
                    "hypervisor": True, "memory_bytes": 8 << 30,
                    "clock": {"source": "tsc", "quantum_ns": 10.0, "overhead_ns": 20.0}},
    }


def main():
    assert hdr_encode({25: 3, 40: 1, 1000: 2, 123456: 1}).startswith("HISTFAAAA")
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "report")
    rng = random.Random(SEED)
    lines, counts, order = [line(header())], {}, 0
    for block in range(BLOCKS):
        noise = rng.gauss(0, 0.06)
        cells = [(group, entry) for group in GROUPS for entry in group[4]]
        rng.shuffle(cells)
        for group, entry in cells:
            record = rep(rng, group, entry, block, order, noise)
            counts[record["status"]] = counts.get(record["status"], 0) + 1
            for attempt in range(1, record.get("attempt", 1)):
                lines.append(line({**record, "attempt": attempt}))
            lines.append(line(record))
            order += 1
    lines.append(line({"v": 1, "kind": "end", "run": RUN, "status": "done",
                       "t_utc": "2025-03-02T10:20:00Z", "counts": counts,
                       "stopped_by": "last look after 6 blocks: target +-2 %, widest pool +-6.31 %",
                       "looks": [6]}))
    with open(os.path.join(folder, "records.jsonl"), "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
