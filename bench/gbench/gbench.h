/* SPDX-License-Identifier: MIT */
/* Google Benchmark for C: its whole surface, over which no C++ type and no exception passes.
 * Source:  Google Benchmark 1.7.1 (Debian's libbenchmark-dev), <benchmark/benchmark.h>.
 *
 * Errors:  a function that returns int answers 0 (or a count) or -errno; pb_gb_last_error() has the
 *          reason. An exception, from the library or thrown by a C++ callback, becomes -ENOMEM
 *          (bad_alloc), -EINVAL (logic_error, regex_error), its errno (system_error) or -EIO. Where
 *          1.7.1 would abort() or exit() on an argument, it is refused with -EINVAL. Every function
 *          may return -ENOMEM.
 *
 * Owner:   strings passed in are copied, contexts and ops are not. Strings passed out belong to the
 *          object they were asked from.
 *
 * Threads: everything but pb_gb_state_* and pb_gb_last_error is for one thread, the one that runs
 *          the benchmarks. A state belongs to the thread that got it.
 *
 * Limits:  a callback must not leave by longjmp, pthread_exit or cancellation: C++ frames lie below
 *          it. At most 256 benchmarks with setup or teardown, 64 statistics and 64 complexity
 *          functions are registered at a time, else -ENOSPC: 1.7.1 takes plain pointers there, so
 *          that each context needs a function of its own.
 *
 * "***WARNING*** Library was built as DEBUG": Debian compiles the library without -DNDEBUG, so that
 * it prints this on stderr and "library_build_type": "debug" in JSON. Its assertions are on, which
 * costs some checks around the loop, none in it. Nothing is hidden here; a time that the caller
 * measures (pb_gb_benchmark_use_manual_time) contains none of the library's code. */
#ifndef PB_GBENCH_H
#define PB_GBENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pb_gb_benchmark; /* a family of benchmarks; the library's, until they are cleared */
struct pb_gb_state;     /* valid only inside the callback that was given it */
struct pb_gb_run;       /* one row of a report; valid only inside the reporter's callback */
struct pb_gb_reporter;  /* the caller's, from create to destroy */

enum pb_gb_time_unit { PB_GB_NANOSECOND, PB_GB_MICROSECOND, PB_GB_MILLISECOND, PB_GB_SECOND };
enum pb_gb_statistic_unit { PB_GB_STATISTIC_TIME, PB_GB_STATISTIC_PERCENTAGE };
enum pb_gb_complexity {
    PB_GB_O_NONE,
    PB_GB_O_1,
    PB_GB_O_N,
    PB_GB_O_N_SQUARED,
    PB_GB_O_N_CUBED,
    PB_GB_O_LOG_N,
    PB_GB_O_N_LOG_N,
    PB_GB_O_AUTO,
    PB_GB_O_FUNCTION
};

/* Why the last failure on this thread failed, "" if none did; success does not clear it. */
const char *pb_gb_last_error(void);

/* ---- Process ---- */

enum { PB_GB_HELP = 1 };

/* Takes the library's flags out of argv and shortens *argc. May be called again: flags keep their
 * values. `help` prints the usage; NULL: the library's. Returns 0; PB_GB_HELP after --help was
 * answered (the library would exit(0)); -EINVAL for a value the library would exit at, for counters
 * from libpfm, which Debian's build lacks, or for a key of --benchmark_context that is reserved. */
int pb_gb_initialize(int *argc, char **argv, void (*help)(void));

/* Forgets the custom context. May be called twice, and the library used again after it. */
void pb_gb_shutdown(void);

/* Prints on stderr what is left in argv after pb_gb_initialize. True if anything was. */
bool pb_gb_report_unrecognized_arguments(int argc, char **argv);

void pb_gb_print_default_help(void); /* on stdout */

/* Runs what `spec` (POSIX extended regular expression over full names, "-" before it inverts; NULL:
 * the filter flag; "" or "all": everything) selects, or lists it under --benchmark_list_tests.
 * `display` NULL: the library's own, made of the flags at the first run. `file` NULL: what
 * --benchmark_out_format says, if --benchmark_out names a file. *matched (may be NULL): how many
 * were selected. All of the library's six overloads. Returns 0, also when nothing matched; -EINVAL
 * for a regular expression that is none, or `file` without --benchmark_out; -errno if that file
 * cannot be opened; -EBUSY from inside a run. */
int pb_gb_run_specified_benchmarks(const char *spec, struct pb_gb_reporter *display,
                                   struct pb_gb_reporter *file, size_t *matched);

/* Counters and rows of the last run that the JSON or CSV writer did not get as they were: counters
 * that were not finite after division, rows whose time was not (they become errors), counters
 * missing in the CSV header. Each is named on stderr. */
size_t pb_gb_omitted(void);

/* Forgets every benchmark; their handles are dead. -EBUSY inside a run. */
int pb_gb_clear_registered_benchmarks(void);

/* --benchmark_filter. Writes and returns as snprintf does. */
int pb_gb_get_benchmark_filter(char *out, size_t size);
int pb_gb_set_benchmark_filter(const char *filter); /* -EINVAL: not a regular expression */

int pb_gb_get_benchmark_verbosity(void); /* --v */

enum pb_gb_time_unit pb_gb_get_default_time_unit(void);
int pb_gb_set_default_time_unit(enum pb_gb_time_unit unit); /* of rows that ask for none */

/* A line of the report's context. The value's control characters become spaces. -EINVAL: the key is
 * empty, has control characters or is one the JSON context uses itself; -EEXIST: it was added
 * before. */
int pb_gb_add_custom_context(const char *key, const char *value);

/* ---- Machine, as the library sees it ---- */

enum pb_gb_scaling { PB_GB_SCALING_UNKNOWN, PB_GB_SCALING_ENABLED, PB_GB_SCALING_DISABLED };

struct pb_gb_cpu_info {
    int num_cpus;
    enum pb_gb_scaling scaling; /* of the frequency */
    double cycles_per_second;
    size_t caches_n;
    size_t load_avg_n;
};

struct pb_gb_cpu_cache {
    const char *type; /* "Data", "Instruction", "Unified"; lives as long as the process */
    int level;
    int size; /* bytes */
    int num_sharing;
};

int pb_gb_get_cpu_info(struct pb_gb_cpu_info *info);
int pb_gb_get_cpu_cache(size_t index, struct pb_gb_cpu_cache *cache); /* -ENOENT past the last */
int pb_gb_get_load_avg(size_t index, double *load);                   /* -ENOENT past the last */
const char *pb_gb_get_system_name(void); /* the host; as long as the process */

/* ---- Registration ---- */

/* What is measured. It must loop until pb_gb_state_keep_running says false, or skip. Called
 * repeatedly with growing counts unless the iterations are fixed; on several threads at once with
 * `threads`. */
typedef void (*pb_gb_body)(struct pb_gb_state *state, void *context);
typedef double (*pb_gb_complexity_fn)(int64_t n, void *context);
typedef double (*pb_gb_statistic_fn)(const double *values, size_t n, void *context);
typedef void (*pb_gb_customize)(struct pb_gb_benchmark *benchmark, void *context);

/* Registers a family. The name is not empty, valid UTF-8 without control characters (-EINVAL); the
 * library passes over names that begin with "DISABLED_". `context` is handed on and stays the
 * caller's. */
int pb_gb_register_benchmark(const char *name, pb_gb_body body, void *context,
                             struct pb_gb_benchmark **benchmark);

/* Below: 0, or -EINVAL and nothing changed. All argument functions of a family agree on how many
 * arguments there are, and add to what is there. A family has at most 2^20 argument lists. */
int pb_gb_benchmark_name(struct pb_gb_benchmark *benchmark, const char *name);
int pb_gb_benchmark_arg(struct pb_gb_benchmark *benchmark, int64_t value);
int pb_gb_benchmark_args(struct pb_gb_benchmark *benchmark, const int64_t *values, size_t n);
/* low, high, and the powers of the range multiplier (8) between. */
int pb_gb_benchmark_range(struct pb_gb_benchmark *benchmark, int64_t low, int64_t high);
int pb_gb_benchmark_dense_range(struct pb_gb_benchmark *benchmark, int64_t low, int64_t high,
                                int step);
/* The product of n ranges [lows[i], highs[i]]. */
int pb_gb_benchmark_ranges(struct pb_gb_benchmark *benchmark, const int64_t *lows,
                           const int64_t *highs, size_t n);
/* The product of n lists; the first changes fastest. */
int pb_gb_benchmark_args_product(struct pb_gb_benchmark *benchmark, const int64_t *const *lists,
                                 const size_t *lengths, size_t n);
int pb_gb_benchmark_arg_name(struct pb_gb_benchmark *benchmark, const char *name);
int pb_gb_benchmark_arg_names(struct pb_gb_benchmark *benchmark, const char *const *names,
                              size_t n); /* "": that value goes without a name */
int pb_gb_benchmark_range_multiplier(struct pb_gb_benchmark *benchmark, int multiplier); /* >= 2 */
int pb_gb_benchmark_unit(struct pb_gb_benchmark *benchmark, enum pb_gb_time_unit unit);
/* Seconds, > 0 and >= 0; not with iterations. 1.7.1 needs min_time for a warm-up to count. */
int pb_gb_benchmark_min_time(struct pb_gb_benchmark *benchmark, double seconds);
int pb_gb_benchmark_min_warm_up_time(struct pb_gb_benchmark *benchmark, double seconds);
/* Exactly n iterations a thread, in one call of the body a repetition. Appends "/iterations:N" to
 * the name. */
int pb_gb_benchmark_iterations(struct pb_gb_benchmark *benchmark, int64_t n);
int pb_gb_benchmark_repetitions(struct pb_gb_benchmark *benchmark, int n); /* "/repeats:N" */
int pb_gb_benchmark_report_aggregates_only(struct pb_gb_benchmark *benchmark, bool on);
int pb_gb_benchmark_display_aggregates_only(struct pb_gb_benchmark *benchmark, bool on);
int pb_gb_benchmark_measure_process_cpu_time(struct pb_gb_benchmark *benchmark);
int pb_gb_benchmark_use_real_time(struct pb_gb_benchmark *benchmark); /* not with manual time */
/* Times come from pb_gb_state_set_iteration_time; without fixed iterations a body that never calls
 * it is run a thousand million times. */
int pb_gb_benchmark_use_manual_time(struct pb_gb_benchmark *benchmark);
/* Fits times to n (pb_gb_state_set_complexity_n, in every run). Adds rows "BigO" and "RMS" to the
 * family. */
int pb_gb_benchmark_complexity(struct pb_gb_benchmark *benchmark, enum pb_gb_complexity order);
int pb_gb_benchmark_complexity_fn(struct pb_gb_benchmark *benchmark, pb_gb_complexity_fn fn,
                                  void *context);
/* A row over the repetitions beside mean, median, stddev and cv, for times (seconds a repetition)
 * and for each counter. (1.7.1's median is wrong for even counts of repetitions.) */
int pb_gb_benchmark_compute_statistics(struct pb_gb_benchmark *benchmark, const char *name,
                                       pb_gb_statistic_fn fn, void *context,
                                       enum pb_gb_statistic_unit unit);
/* Up to 1024 threads. 1.7.1 starts them anew for each call, and divides the real time by their
 * number. */
int pb_gb_benchmark_threads(struct pb_gb_benchmark *benchmark, int threads);
int pb_gb_benchmark_thread_range(struct pb_gb_benchmark *benchmark, int low, int high);
int pb_gb_benchmark_dense_thread_range(struct pb_gb_benchmark *benchmark, int low, int high,
                                       int stride);
int pb_gb_benchmark_thread_per_cpu(struct pb_gb_benchmark *benchmark);
/* Called once before and after each call of the body (not once a thread), on the running thread.
 * Their state answers threads, thread_index, range and max_iterations; what changes a run is
 * -EPERM. */
int pb_gb_benchmark_setup(struct pb_gb_benchmark *benchmark, pb_gb_body setup, void *context);
int pb_gb_benchmark_teardown(struct pb_gb_benchmark *benchmark, pb_gb_body teardown, void *context);
int pb_gb_benchmark_apply(struct pb_gb_benchmark *benchmark, pb_gb_customize fn, void *context);

/* The values of range and dense_range. Writes at most `capacity`; returns how many there are. */
int pb_gb_create_range(int64_t low, int64_t high, int multiplier, int64_t *values, size_t capacity);
int pb_gb_create_dense_range(int64_t low, int64_t high, int step, int64_t *values, size_t capacity);

/* ---- State: inside a body, on its own thread ---- */

/* True while another iteration is to be run; starts the clock at the first call and stops it at the
 * last. All threads of the benchmark wait for each other at both. A few ns a call; a batch costs as
 * much once. */
bool pb_gb_state_keep_running(struct pb_gb_state *state);

/* The same for up to n iterations at once: returns how many to run now, 0 at the end. The last
 * batch is cut to what is left (the library overshoots, and aborts when repetitions differ). */
int64_t pb_gb_state_keep_running_batch(struct pb_gb_state *state, int64_t n);

/* Stop and restart the clock of this thread. Two system calls each. -EPERM outside the loop or
 * after a skip, -EALREADY if it is so already. A clock left stopped is restarted before the last
 * barrier. */
int pb_gb_state_pause_timing(struct pb_gb_state *state);
int pb_gb_state_resume_timing(struct pb_gb_state *state);

/* Manual time of this iteration or batch; adds up. -EDOM: negative or not finite. */
int pb_gb_state_set_iteration_time(struct pb_gb_state *state, double seconds);

/* Turns this run into an error row; keep_running answers false from now on. -EALREADY the second
 * time. 1.7.1 crashes on an error in a family that has a complexity or repetitions; there the error
 * travels past the library in the label, which the reporters undo, and aggregates that it touches
 * become errors. (A body without fixed iterations is then called again, with more of them.) */
int pb_gb_state_skip_with_error(struct pb_gb_state *state, const char *message);
bool pb_gb_state_error_occurred(const struct pb_gb_state *state);

/* Totals of this thread, after the loop; threads add up. Reported a second. -EINVAL: negative. */
int pb_gb_state_set_bytes_processed(struct pb_gb_state *state, int64_t bytes);
int pb_gb_state_set_items_processed(struct pb_gb_state *state, int64_t items);
int64_t pb_gb_state_bytes_processed(const struct pb_gb_state *state); /* 0 unless set */
int64_t pb_gb_state_items_processed(const struct pb_gb_state *state);

int pb_gb_state_set_complexity_n(struct pb_gb_state *state, int64_t n); /* -EINVAL: not positive */
int64_t pb_gb_state_complexity_length_n(const struct pb_gb_state *state);

/* Text at the end of the row. Control characters become spaces and bytes that are not UTF-8 "?", as
 * 1.7.1 writes them raw. -ECANCELED after a skip. */
int pb_gb_state_set_label(struct pb_gb_state *state, const char *label);

/* The index-th argument of this run; INT64_MIN and a last error if there is none. */
int64_t pb_gb_state_range(const struct pb_gb_state *state, size_t index);
size_t pb_gb_state_range_size(const struct pb_gb_state *state);

/* In the pass of a memory manager threads is 1, whatever the benchmark asked for. */
int pb_gb_state_threads(const struct pb_gb_state *state);
int pb_gb_state_thread_index(const struct pb_gb_state *state);       /* 0 .. threads - 1 */
int64_t pb_gb_state_iterations(const struct pb_gb_state *state);     /* done so far, this thread */
int64_t pb_gb_state_max_iterations(const struct pb_gb_state *state); /* asked for, this thread */

/* What the report makes of a counter: first summed over threads, then divided or multiplied. */
enum {
    PB_GB_COUNTER_RATE = 1 << 0,                /* by the seconds of the chosen time */
    PB_GB_COUNTER_AVG_THREADS = 1 << 1,         /* by the threads */
    PB_GB_COUNTER_ITERATION_INVARIANT = 1 << 2, /* times the iterations */
    PB_GB_COUNTER_AVG_ITERATIONS = 1 << 3,      /* by the iterations */
    PB_GB_COUNTER_INVERT = 1 << 4               /* one over it, last of all */
};

struct pb_gb_counter {
    double value;
    unsigned flags;
    unsigned one_k; /* 1000 or 1024; 0 means 1000. How the console abbreviates it */
};

/* Sets a counter of this thread. -EDOM: not finite. -EINVAL: unknown flags, other flags than this
 * counter had before in this family (1.7.1 aborts when repetitions differ), or a name that is
 * empty, has control characters or is a key of the JSON row ("threads", "label",
 * "items_per_second", ...). */
int pb_gb_state_set_counter(struct pb_gb_state *state, const char *name,
                            const struct pb_gb_counter *counter);
int pb_gb_state_counter(const struct pb_gb_state *state, const char *name,
                        struct pb_gb_counter *counter); /* -ENOENT */

/* Keeps a value, and what it took to compute it, in spite of the optimiser; LVALUE also makes the
 * compiler believe that it was changed. CLOBBER_MEMORY: all memory was read and written. */
#define PB_GB_DO_NOT_OPTIMIZE(value)         __asm__ volatile("" : : "r,m"(value) : "memory")
#define PB_GB_DO_NOT_OPTIMIZE_LVALUE(lvalue) __asm__ volatile("" : "+m,r"(lvalue) : : "memory")
#define PB_GB_CLOBBER_MEMORY()               __asm__ volatile("" : : : "memory")

/* ---- Reporters ---- */

struct pb_gb_reporter_ops {
    /* Before the first benchmark; false: run none. name_width: of the longest name. May be NULL. */
    bool (*context)(const char *executable, size_t name_width, void *context);
    /* A benchmark's repetitions, then (in a call of its own) its aggregates. */
    void (*runs)(const struct pb_gb_run *const *runs, size_t n, void *context);
    void (*finalize)(void *context); /* once, at the end. May be NULL */
};

/* A reporter in C. `ops` and `context` must outlive it. An exception out of a callback ends the
 * run. */
int pb_gb_reporter_create(const struct pb_gb_reporter_ops *ops, void *context,
                          struct pb_gb_reporter **reporter);

enum pb_gb_format { PB_GB_CONSOLE, PB_GB_CONSOLE_COLOR, PB_GB_JSON, PB_GB_CSV };
/* The library's writers, on stdout as `display`, in the file of --benchmark_out as `file`. JSON is
 * always valid. */
int pb_gb_reporter_create_builtin(enum pb_gb_format format, struct pb_gb_reporter **reporter);
/* CreateDefaultDisplayReporter: of --benchmark_format as it was when the process first asked for
 * it. */
int pb_gb_reporter_create_default_display(struct pb_gb_reporter **reporter);
void pb_gb_reporter_destroy(struct pb_gb_reporter *reporter); /* NULL allowed; not inside a run */

/* For callbacks: writes to where this reporter writes, stdout or (as `file`) --benchmark_out. -EIO.
 */
int pb_gb_reporter_write(struct pb_gb_reporter *reporter, const char *bytes, size_t n);

/* ---- Run: a row, inside a reporter's callback ---- */

enum pb_gb_name_part { /* in the order in which '/' joins them */
                       PB_GB_NAME_FUNCTION,
                       PB_GB_NAME_ARGS,
                       PB_GB_NAME_MIN_TIME,
                       PB_GB_NAME_MIN_WARM_UP_TIME,
                       PB_GB_NAME_ITERATIONS,
                       PB_GB_NAME_REPETITIONS,
                       PB_GB_NAME_TIME_TYPE,
                       PB_GB_NAME_THREADS,
                       PB_GB_NAME_PARTS
};

const char *
pb_gb_run_benchmark_name(const struct pb_gb_run *run);       /* aggregates end in "_mean", ... */
const char *pb_gb_run_run_name(const struct pb_gb_run *run); /* without that */
const char *pb_gb_run_name_part(const struct pb_gb_run *run, enum pb_gb_name_part part);
int64_t pb_gb_run_family_index(const struct pb_gb_run *run);
int64_t pb_gb_run_per_family_instance_index(const struct pb_gb_run *run);
bool pb_gb_run_is_aggregate(const struct pb_gb_run *run);
const char *pb_gb_run_aggregate_name(const struct pb_gb_run *run);
enum pb_gb_statistic_unit pb_gb_run_aggregate_unit(const struct pb_gb_run *run);
const char *pb_gb_run_label(const struct pb_gb_run *run);
bool pb_gb_run_error_occurred(const struct pb_gb_run *run);
const char *pb_gb_run_error_message(const struct pb_gb_run *run);
int64_t
pb_gb_run_iterations(const struct pb_gb_run *run); /* all threads; aggregates: repetitions */
int64_t pb_gb_run_threads(const struct pb_gb_run *run);
int64_t pb_gb_run_repetition_index(const struct pb_gb_run *run); /* -1: aggregate */
int64_t pb_gb_run_repetitions(const struct pb_gb_run *run);
enum pb_gb_time_unit pb_gb_run_time_unit(const struct pb_gb_run *run);
/* Seconds over all iterations; of a percentage (cv), the ratio. */
double pb_gb_run_real_accumulated_time(const struct pb_gb_run *run);
double pb_gb_run_cpu_accumulated_time(const struct pb_gb_run *run);
/* In time_unit, an iteration. */
double pb_gb_run_adjusted_real_time(const struct pb_gb_run *run);
double pb_gb_run_adjusted_cpu_time(const struct pb_gb_run *run);
enum pb_gb_complexity pb_gb_run_complexity(const struct pb_gb_run *run); /* what was fitted */
int64_t pb_gb_run_complexity_n(const struct pb_gb_run *run);
bool pb_gb_run_is_big_o(const struct pb_gb_run *run); /* its times are the coefficients */
bool pb_gb_run_is_rms(const struct pb_gb_run *run);

/* Counters by name in order; values as reported, so perhaps not finite. -ENOENT: there is none. */
size_t pb_gb_run_counters_n(const struct pb_gb_run *run);
int pb_gb_run_counter_at(const struct pb_gb_run *run, size_t index, const char **name,
                         struct pb_gb_counter *counter);
int pb_gb_run_counter(const struct pb_gb_run *run, const char *name, struct pb_gb_counter *counter);

/* ---- Memory manager ---- */

#define PB_GB_MEMORY_UNKNOWN INT64_MAX

struct pb_gb_memory {
    int64_t num_allocs;
    int64_t max_bytes_used;
    int64_t total_allocated_bytes; /* PB_GB_MEMORY_UNKNOWN: not measured */
    int64_t net_heap_growth;       /* the same */
};

struct pb_gb_memory_ops {
    void (*start)(void *context);
    void (*stop)(struct pb_gb_memory *result, void *context);
};

/* Has every benchmark run once more between start and stop: thread 0 alone, at most 16 iterations.
 * NULL takes it back. `ops` and `context` must outlive it. -EBUSY inside a run. DEADLOCK: the pass
 * has one thread in every version of the library, yet State::threads() says N there, so that a body
 * whose threads wait for each other hangs. pb_gb_state_threads() says 1; a body that has its number
 * of threads from elsewhere still hangs. The harness counts memory by itself instead. */
int pb_gb_register_memory_manager(const struct pb_gb_memory_ops *ops, void *context);

/* Of a row. -ENOENT: none, or there are repetitions: 1.7.1 frees those results before it reports
 * them. */
int pb_gb_run_memory(const struct pb_gb_run *run, struct pb_gb_memory *result,
                     double *allocs_per_iteration);

#ifdef __cplusplus
}
#endif

#endif
