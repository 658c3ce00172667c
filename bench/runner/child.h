/* SPDX-License-Identifier: MIT */
/* One repetition in a process of its own: reads a cell's spec, runs it inside Google Benchmark,
 * writes the result. The parent (spawn.h) made the process, its environment and its limits. */
#ifndef PB_CHILD_H
#define PB_CHILD_H

/* Reads one JSON object from descriptor `in` until end of file and writes one line of JSON to
 * `out`. Returns the exit code: 0 when a line was written, whatever the cell's status; 2 when the
 * spec is not one. Main thread. */
int pb_child_run(int in, int out);

#endif
