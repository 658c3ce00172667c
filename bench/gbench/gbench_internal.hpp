/* SPDX-License-Identifier: MIT */
/* What the files behind gbench.h share: the boundary no exception passes, what the library keeps
 * private of a family and a state, and the channel on which errors travel past 1.7.1 (see
 * soft_failure). */
#ifndef PB_GBENCH_INTERNAL_HPP
#define PB_GBENCH_INTERNAL_HPP

#include "gbench.h"

#include <atomic>
#include <benchmark/benchmark.h>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <regex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

enum { PB_GB_INSTANCES_MAX = 1 << 20, PB_GB_THREADS_MAX = 1024 };

/* A function of the caller's and what it is called with. */
struct pb_gb_hook {
    pb_gb_body fn = nullptr;
    void *context = nullptr;
};

struct pb_gb_benchmark {
    benchmark::internal::Benchmark *family = nullptr; /* the library's */
    std::string name;
    pb_gb_hook body, setup, teardown;
    bool hooked = false; /* it has a slot */
    int args_n = -1;     /* -1: not known yet, as in Benchmark::ArgsCnt */
    size_t lists_n = 0;  /* argument lists so far */
    int multiplier = 8;
    int repetitions = 0; /* 0: the flag's */
    bool min_time = false, warm_up = false, iterations = false;
    bool real_time = false, manual_time = false, complexity = false;
    std::atomic<bool> failed{false}; /* softly, in the last run */
    std::mutex lock;
    std::map<std::string, unsigned> counter_flags; /* by lock */
};

struct pb_gb_state {
    benchmark::State *state = nullptr; /* NULL in setup and teardown */
    const benchmark::State *view = nullptr;
    pb_gb_benchmark *owner = nullptr;
    int64_t left = 0; /* iterations not handed out yet */
    bool hot = false; /* in the loop, clock running, nothing wrong */
    bool started = false, finished = false, paused = false, failed = false;
};

struct pb_gb_run {
    const benchmark::BenchmarkReporter::Run &row;
    std::string benchmark_name, run_name;
};

struct pb_gb_reporter {
    std::unique_ptr<benchmark::BenchmarkReporter> relay;
};

namespace gbench
{

/* Keeps the text for pb_gb_last_error and returns -error. */
__attribute__((format(printf, 2, 3))) int fail(int error, const char *format, ...) noexcept;

/* Inside a catch block: what came flying, as -errno with its text. */
int fail_with_current_exception() noexcept;

/* Runs a function that returns int; nothing it throws gets out. */
template <typename F> int guarded(F &&function) noexcept
{
    try {
        return function();
    } catch (...) {
        return fail_with_current_exception();
    }
}

/* The number behind an enum that came from C, where it may be any; to C++ that is undefined to
 * load. */
template <typename E> int number(const E &value) noexcept
{
    static_assert(sizeof value == sizeof(int), "enums from C are ints");
    int out;
    std::memcpy(&out, &value, sizeof out);
    return out;
}

/* Not empty, valid UTF-8, no control characters. */
bool is_clean(const char *text) noexcept;
/* The text with spaces for control characters and "?" for bytes that are not UTF-8. */
std::string cleaned(const char *text);
/* Whether JSON rows use this key themselves. */
bool is_row_key(const std::string &name);

/* Counters across the boundary; in gbench_run.cc. */
benchmark::Counter from_c(const pb_gb_counter &counter);
pb_gb_counter to_c(const benchmark::Counter &counter);

/* 1.7.1 crashes when a run with an error is in a family with a complexity (front() of no runs,
 * when all failed) or repetitions (aggregates of a run without
 * statistics; differing iteration counts). Such an error is kept from the library: the label
 * carries it behind this mark, which no clean label contains, and a counter of that name makes
 * aggregates tell that they contain it. */
inline constexpr char soft_failure[] = "\x01";

bool run_in_progress() noexcept;
bool memory_pass() noexcept;     /* between start and stop of the memory manager */
int flag_repetitions() noexcept; /* --benchmark_repetitions */

/* Families, in gbench_registration.cc. */
void forget_failures();
bool family_failed(const std::string &name);

/* The library's callbacks into C, in gbench_callbacks.cc. */
void run_body(pb_gb_benchmark *benchmark, benchmark::State &state) noexcept;
int take_hook_slot(pb_gb_benchmark *benchmark);
benchmark::StatisticsFunc *take_statistic_slot(pb_gb_statistic_fn fn, void *context);
benchmark::BigOFunc *take_complexity_slot(pb_gb_complexity_fn fn, void *context);
void free_slots() noexcept;

/* Ends the loop of a state, whatever state it is in; in gbench_state.cc. */
void finish_loop(pb_gb_state *state);

/* Reporters, in gbench_reporter.cc. The relay that stands before one of the library's writers. */
std::unique_ptr<benchmark::BenchmarkReporter> make_builtin(pb_gb_format format);
std::unique_ptr<benchmark::BenchmarkReporter> make_default_display();
void reset_omitted() noexcept;

} // namespace gbench

#endif
