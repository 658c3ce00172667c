-- SPDX-License-Identifier: MIT
-- results/index.sqlite: an index over the runs in results/, made by `poolbench index` from their records and
-- from nothing else. Deleting it loses nothing but which runs elsewhere were named. Times are UTC; units are those of metric_name. For questions
-- across runs:  sqlite3 results/index.sqlite "SELECT run, name, avg(value) FROM figure WHERE key = 'ns_per_op' GROUP BY 1, 2"
-- Source of the shape: a narrow table of (metric, repetition, value) without rowids takes less than half the room
-- of one with names, and answers for one metric of many runs from one place. A change of the shape counts
-- user_version up; an index of another version is made anew, never changed in place.
PRAGMA application_id = 1886351212; -- "pool"
PRAGMA user_version = 2;

-- what a run's header says of where it ran, without what changes from run to run (load, clock,
-- memory, and the topology's text, which has the memory in it)
CREATE TABLE machine (
    machine_id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    host TEXT NOT NULL, cpu TEXT NOT NULL, kernel TEXT NOT NULL, libc TEXT NOT NULL,
    facts TEXT NOT NULL CHECK (json_valid(facts))
) STRICT;

CREATE TABLE build (
    build_id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    version TEXT NOT NULL, git TEXT NOT NULL, sanitizer TEXT NOT NULL,
    facts TEXT NOT NULL CHECK (json_valid(facts))
) STRICT;

CREATE TABLE run (
    run_id INTEGER PRIMARY KEY,
    folder TEXT NOT NULL UNIQUE, -- below results/, or in full
    run TEXT NOT NULL, t_utc TEXT NOT NULL, matrix TEXT NOT NULL, matrix_hash TEXT NOT NULL,
    seed INTEGER NOT NULL, blocks INTEGER NOT NULL, reference TEXT NOT NULL,
    status TEXT NOT NULL, -- done, interrupted, open
    machine_id INTEGER NOT NULL REFERENCES machine, build_id INTEGER NOT NULL REFERENCES build,
    -- the records as they were read: when one of them changes, the run is read again
    bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, last_crc TEXT NOT NULL,
    lines INTEGER NOT NULL, torn INTEGER NOT NULL
) STRICT;

CREATE TABLE cell (
    cell_id INTEGER PRIMARY KEY,
    cell TEXT NOT NULL, name TEXT NOT NULL, workload TEXT NOT NULL, alloc TEXT NOT NULL,
    threads INTEGER NOT NULL, dispatch TEXT NOT NULL, pin TEXT NOT NULL,
    UNIQUE (cell, name)
) STRICT;

CREATE TABLE rep (
    rep_id INTEGER PRIMARY KEY, -- those of a run follow one another
    run_id INTEGER NOT NULL REFERENCES run, cell_id INTEGER NOT NULL REFERENCES cell,
    block INTEGER NOT NULL, place INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    t_utc TEXT, wall_ns INTEGER, stream_hash TEXT, version TEXT,
    line INTEGER NOT NULL,                   -- in records.jsonl
    superseded INTEGER NOT NULL DEFAULT 0,   -- a later one of its cell and block counts
    -- NULL: the record does not tell
    attempt INTEGER,                         -- from 1
    layout INTEGER,                          -- which placement of the program's code
    disturbed TEXT                           -- 'steal,run-wait'; '' when nothing did
) STRICT;
CREATE INDEX rep_of_run ON rep (run_id, cell_id, block);
CREATE INDEX rep_of_cell ON rep (cell_id);

CREATE TABLE metric_name (
    mid INTEGER PRIMARY KEY,
    key TEXT NOT NULL, unit TEXT NOT NULL, better INTEGER NOT NULL CHECK (better IN (-1, 0, 1)),
    UNIQUE (key, unit, better)
) STRICT;

CREATE TABLE metric (
    mid INTEGER NOT NULL REFERENCES metric_name, rep_id INTEGER NOT NULL REFERENCES rep,
    value REAL NOT NULL,
    PRIMARY KEY (mid, rep_id)
) STRICT, WITHOUT ROWID;

-- what counts, with its names
CREATE VIEW figure AS
SELECT run.run, run.folder, cell.cell, cell.name, cell.workload, cell.alloc, cell.threads, rep.block,
       metric_name.key, metric_name.unit, metric.value
FROM metric JOIN metric_name USING (mid) JOIN rep USING (rep_id) JOIN run USING (run_id) JOIN cell USING (cell_id)
WHERE rep.superseded = 0 AND rep.status = 'ok';
