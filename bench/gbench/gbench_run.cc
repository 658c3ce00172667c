/* SPDX-License-Identifier: MIT */
/* The rows of a report behind gbench.h: getters only.
 *
 * Threads: the one that runs the benchmarks, inside a reporter's callback. */
#include "gbench_internal.hpp"

#include <iterator>

using gbench::fail;
using gbench::guarded;

namespace
{

struct flag_pair {
    unsigned ours;
    benchmark::Counter::Flags theirs;
};

constexpr flag_pair flag_pairs[] = {
    {PB_GB_COUNTER_RATE, benchmark::Counter::kIsRate},
    {PB_GB_COUNTER_AVG_THREADS, benchmark::Counter::kAvgThreads},
    {PB_GB_COUNTER_ITERATION_INVARIANT, benchmark::Counter::kIsIterationInvariant},
    {PB_GB_COUNTER_AVG_ITERATIONS, benchmark::Counter::kAvgIterations},
    {PB_GB_COUNTER_INVERT, benchmark::Counter::kInvert},
};

using name_part = std::string benchmark::BenchmarkName::*;

constexpr name_part name_parts[PB_GB_NAME_PARTS] = {
    &benchmark::BenchmarkName::function_name, &benchmark::BenchmarkName::args,
    &benchmark::BenchmarkName::min_time,      &benchmark::BenchmarkName::min_warmup_time,
    &benchmark::BenchmarkName::iterations,    &benchmark::BenchmarkName::repetitions,
    &benchmark::BenchmarkName::time_type,     &benchmark::BenchmarkName::threads,
};

} // namespace

namespace gbench
{

benchmark::Counter from_c(const pb_gb_counter &counter)
{
    auto flags = benchmark::Counter::kDefaults;
    for (const flag_pair &pair : flag_pairs)
        if (counter.flags & pair.ours)
            flags = flags | pair.theirs;
    return benchmark::Counter(counter.value, flags,
                              counter.one_k == 1024 ? benchmark::Counter::kIs1024
                                                    : benchmark::Counter::kIs1000);
}

pb_gb_counter to_c(const benchmark::Counter &counter)
{
    pb_gb_counter out{counter.value, 0,
                      counter.oneK == benchmark::Counter::kIs1024 ? 1024u : 1000u};
    for (const flag_pair &pair : flag_pairs)
        if (counter.flags & pair.theirs)
            out.flags |= pair.ours;
    return out;
}

} // namespace gbench

const char *pb_gb_run_benchmark_name(const struct pb_gb_run *run)
{
    return run->benchmark_name.c_str();
}

const char *pb_gb_run_run_name(const struct pb_gb_run *run)
{
    return run->run_name.c_str();
}

const char *pb_gb_run_name_part(const struct pb_gb_run *run, enum pb_gb_name_part part)
{
    if (gbench::number(part) < 0 || gbench::number(part) >= PB_GB_NAME_PARTS)
        return "";
    return (run->row.run_name.*name_parts[part]).c_str();
}

int64_t pb_gb_run_family_index(const struct pb_gb_run *run)
{
    return run->row.family_index;
}

int64_t pb_gb_run_per_family_instance_index(const struct pb_gb_run *run)
{
    return run->row.per_family_instance_index;
}

bool pb_gb_run_is_aggregate(const struct pb_gb_run *run)
{
    return run->row.run_type == benchmark::BenchmarkReporter::Run::RT_Aggregate;
}

const char *pb_gb_run_aggregate_name(const struct pb_gb_run *run)
{
    return run->row.aggregate_name.c_str();
}

enum pb_gb_statistic_unit pb_gb_run_aggregate_unit(const struct pb_gb_run *run)
{
    return static_cast<pb_gb_statistic_unit>(run->row.aggregate_unit);
}

const char *pb_gb_run_label(const struct pb_gb_run *run)
{
    return run->row.report_label.c_str();
}

bool pb_gb_run_error_occurred(const struct pb_gb_run *run)
{
    return run->row.error_occurred;
}

const char *pb_gb_run_error_message(const struct pb_gb_run *run)
{
    return run->row.error_message.c_str();
}

int64_t pb_gb_run_iterations(const struct pb_gb_run *run)
{
    return run->row.iterations;
}

int64_t pb_gb_run_threads(const struct pb_gb_run *run)
{
    return run->row.threads;
}

int64_t pb_gb_run_repetition_index(const struct pb_gb_run *run)
{
    return run->row.repetition_index;
}

int64_t pb_gb_run_repetitions(const struct pb_gb_run *run)
{
    return run->row.repetitions;
}

enum pb_gb_time_unit pb_gb_run_time_unit(const struct pb_gb_run *run)
{
    return static_cast<pb_gb_time_unit>(run->row.time_unit);
}

double pb_gb_run_real_accumulated_time(const struct pb_gb_run *run)
{
    return run->row.real_accumulated_time;
}

double pb_gb_run_cpu_accumulated_time(const struct pb_gb_run *run)
{
    return run->row.cpu_accumulated_time;
}

double pb_gb_run_adjusted_real_time(const struct pb_gb_run *run)
{
    return run->row.GetAdjustedRealTime();
}

double pb_gb_run_adjusted_cpu_time(const struct pb_gb_run *run)
{
    return run->row.GetAdjustedCPUTime();
}

enum pb_gb_complexity pb_gb_run_complexity(const struct pb_gb_run *run)
{
    return static_cast<pb_gb_complexity>(run->row.complexity);
}

int64_t pb_gb_run_complexity_n(const struct pb_gb_run *run)
{
    return run->row.complexity_n;
}

bool pb_gb_run_is_big_o(const struct pb_gb_run *run)
{
    return run->row.report_big_o;
}

bool pb_gb_run_is_rms(const struct pb_gb_run *run)
{
    return run->row.report_rms;
}

size_t pb_gb_run_counters_n(const struct pb_gb_run *run)
{
    return run->row.counters.size();
}

int pb_gb_run_counter_at(const struct pb_gb_run *run, size_t index, const char **name,
                         struct pb_gb_counter *counter)
{
    if (index >= run->row.counters.size())
        return fail(ENOENT, "%s has no counter %zu", run->benchmark_name.c_str(), index);
    auto found = std::next(run->row.counters.begin(), static_cast<std::ptrdiff_t>(index));
    *name = found->first.c_str();
    *counter = gbench::to_c(found->second);
    return 0;
}

int pb_gb_run_counter(const struct pb_gb_run *run, const char *name, struct pb_gb_counter *counter)
{
    return guarded([&] {
        auto found = run->row.counters.find(name);
        if (found == run->row.counters.end())
            return fail(ENOENT, "%s has no counter %s", run->benchmark_name.c_str(), name);
        *counter = gbench::to_c(found->second);
        return 0;
    });
}

int pb_gb_run_memory(const struct pb_gb_run *run, struct pb_gb_memory *result,
                     double *allocs_per_iteration)
{
    const auto *memory = run->row.memory_result;
    if (!memory)
        return fail(ENOENT, "%s has no memory result", run->benchmark_name.c_str());
    *result = {memory->num_allocs, memory->max_bytes_used, memory->total_allocated_bytes,
               memory->net_heap_growth};
    *allocs_per_iteration = run->row.allocs_per_iter;
    return 0;
}
