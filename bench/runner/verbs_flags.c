/* SPDX-License-Identifier: MIT */
/* The options of the verbs, one a row: what parsing, help text and documents are made of. */
#include "runner/verbs.h"

#define MATRIX PB_VERBS_OF_MATRIX
#define WHAT   "What runs (each takes the place of the matrix's own)"
#define HOW    "How it is measured"
#define OUTPUT "Output"

const struct pb_flag pb_verb_flags[] = {
    {MATRIX, "alloc", 'a', "LIST", "variants: pool,zone:lock=ticket,jemalloc", WHAT},
    {MATRIX, "threads", 't', "LIST", "thread counts: 1,2,4", WHAT},
    {MATRIX, "workload", 'w', "LIST", "only these workloads; one the matrix lacks has its defaults",
     WHAT},
    {MATRIX, "set", 's', "KEY=LIST",
     "an option of the workloads that have it: size=64,256, pair.ops=1M", WHAT},
    {MATRIX, "trace", 0, "FILE", "replay this trace in place of all workloads", WHAT},
    {MATRIX, "dispatch", 'd', "LIST", "how the strategy is called: call, inline, table", WHAT},
    {MATRIX, "pin", 'p', "LIST", "pin policies: none, compact, core, scatter, ... (list policies)",
     WHAT},
    {MATRIX, "memory", 0, "LIST", "placement of memory: default, local, interleave", WHAT},
    {MATRIX, "start", 0, "LIST", "warm, or cold: timed from the heap's first call on", WHAT},
    {MATRIX, "arrival", 0, "LIST",
     "closed, or an open loop: poisson:N, fixed:N steps a second of each worker", WHAT},
    {MATRIX, "delay", 0, "LIST", "planted: none, slow:NS in slow paths, lock:NS inside locks",
     WHAT},
    {MATRIX, "oversubscribe", 0, NULL, "more threads than processing units are allowed", WHAT},
    {MATRIX, "filter", 'f', "REGEX", "only cells whose name matches (POSIX extended)", WHAT},
    {MATRIX, "blocks", 'n', "N", "repetitions of every cell, each a process", HOW},
    {MATRIX, "seed", 0, "N", "of the op streams and of the order", HOW},
    {MATRIX, "scale", 0, "X", "times the steps of every workload", HOW},
    {MATRIX, "sample-gap", 0, "N", "mean steps between two timed operations; 0: off", HOW},
    {MATRIX, "reference", 'r', "VARIANT", "what others are compared with", HOW},
    {MATRIX, "aa", 0, "on|off", "the reference a second time: the noise floor", HOW},
    {MATRIX, "audit", 0, "on|off", "the pass that checks every block and measures memory", HOW},
    {MATRIX, "timeout", 0, "SECONDS", "a cell that takes longer is ended", HOW},
    {MATRIX, "memory-limit", 0, "SIZE", "that a strategy may make writable: 512M, 4G; 0: any", HOW},
    {"run", "out", 'o', "DIR", "the run's folder (standard: a new one under results)", OUTPUT},
    {"run resume", "figures", 0, NULL, "draw the figures at the end", OUTPUT},
    {"run resume", "quiet", 'q', NULL, "no progress", OUTPUT},
    {"report plot", "reference", 'r', "VARIANT", "what others are compared with", OUTPUT},
    {"run resume report", "metric", 'm', "KEY", "the table's metric (standard: ns_per_op)", OUTPUT},
    {"run resume report", "format", 0, "FORMAT", "table, json, csv, markdown", OUTPUT},
    {"run resume report", "color", 0, "WHEN", "always, never, auto; NO_COLOR is honoured", OUTPUT},
    {"plot", "out", 'o', "DIR", "where the figures go (standard: RUN/plots)", OUTPUT},
    {"list", "json", 'j', NULL, "as JSON", OUTPUT},
    {"plan", "json", 'j', NULL, "as JSON Lines, with the placement and setup of each repetition",
     OUTPUT},
    {"poolmon", "interval", 'i', "SECONDS", "between two tables (standard: 5)", OUTPUT},
    {"poolmon", "count", 'c', "N", "tables; 0: until the end (standard: 0; no terminal: 1)",
     OUTPUT},
    {"poolmon", "sort", 's', "COLUMN", "tag, allocs, frees, diff, bytes, per-alloc", OUTPUT},
    {"poolmon", "type", 't', "TYPE", "nonp, paged, both", OUTPUT},
    {"poolmon", "cell", 0, "REGEX", "of a run's records, only cells whose name matches", OUTPUT},
    {"*", "help", 'h', NULL, "this page", OUTPUT},
    {0},
};
