/* SPDX-License-Identifier: MIT */
/* How a family is measured and summarised: times, iterations, repetitions, statistics, complexity,
 * setup and teardown. Contradictions that 1.7.1 aborts over are refused.
 *
 * Source:  google/benchmark 1.7.1, src/benchmark_register.cc (its BM_CHECKs).
 *
 * Threads: the one that runs the benchmarks. */
#include "gbench_internal.hpp"

#include <cmath>

using gbench::fail;
using gbench::guarded;
using gbench::number;

int pb_gb_benchmark_unit(struct pb_gb_benchmark *benchmark, enum pb_gb_time_unit unit)
{
    if (number(unit) < PB_GB_NANOSECOND || number(unit) > PB_GB_SECOND)
        return fail(EINVAL, "%d is no unit of time", number(unit));
    return guarded([&] {
        benchmark->family->Unit(static_cast<benchmark::TimeUnit>(unit));
        return 0;
    });
}

int pb_gb_benchmark_min_time(struct pb_gb_benchmark *benchmark, double seconds)
{
    if (!std::isfinite(seconds) || seconds <= 0 || benchmark->iterations)
        return fail(EINVAL, "a minimal time is positive, and does not go with iterations");
    return guarded([&] {
        benchmark->family->MinTime(seconds);
        benchmark->min_time = true;
        return 0;
    });
}

int pb_gb_benchmark_min_warm_up_time(struct pb_gb_benchmark *benchmark, double seconds)
{
    if (!std::isfinite(seconds) || seconds < 0 || benchmark->iterations)
        return fail(EINVAL, "a warm-up is not negative, and does not go with iterations");
    return guarded([&] {
        benchmark->family->MinWarmUpTime(seconds);
        benchmark->warm_up = seconds > 0;
        return 0;
    });
}

int pb_gb_benchmark_iterations(struct pb_gb_benchmark *benchmark, int64_t n)
{
    if (n < 1 || benchmark->min_time || benchmark->warm_up)
        return fail(EINVAL, "iterations are positive, and do not go with a minimal time");
    return guarded([&] {
        benchmark->family->Iterations(n);
        benchmark->iterations = true;
        return 0;
    });
}

int pb_gb_benchmark_repetitions(struct pb_gb_benchmark *benchmark, int n)
{
    if (n < 1)
        return fail(EINVAL, "%d repetitions", n);
    return guarded([&] {
        benchmark->family->Repetitions(n);
        benchmark->repetitions = n;
        return 0;
    });
}

int pb_gb_benchmark_report_aggregates_only(struct pb_gb_benchmark *benchmark, bool on)
{
    return guarded([&] {
        benchmark->family->ReportAggregatesOnly(on);
        return 0;
    });
}

int pb_gb_benchmark_display_aggregates_only(struct pb_gb_benchmark *benchmark, bool on)
{
    return guarded([&] {
        benchmark->family->DisplayAggregatesOnly(on);
        return 0;
    });
}

int pb_gb_benchmark_measure_process_cpu_time(struct pb_gb_benchmark *benchmark)
{
    return guarded([&] {
        benchmark->family->MeasureProcessCPUTime();
        return 0;
    });
}

int pb_gb_benchmark_use_real_time(struct pb_gb_benchmark *benchmark)
{
    if (benchmark->manual_time)
        return fail(EINVAL, "%s uses manual time already", benchmark->name.c_str());
    return guarded([&] {
        benchmark->family->UseRealTime();
        benchmark->real_time = true;
        return 0;
    });
}

int pb_gb_benchmark_use_manual_time(struct pb_gb_benchmark *benchmark)
{
    if (benchmark->real_time)
        return fail(EINVAL, "%s uses real time already", benchmark->name.c_str());
    return guarded([&] {
        benchmark->family->UseManualTime();
        benchmark->manual_time = true;
        return 0;
    });
}

int pb_gb_benchmark_complexity(struct pb_gb_benchmark *benchmark, enum pb_gb_complexity order)
{
    if (number(order) < PB_GB_O_NONE || number(order) >= PB_GB_O_FUNCTION)
        return fail(EINVAL, "%d is no order of complexity", number(order));
    return guarded([&] {
        benchmark->family->Complexity(static_cast<benchmark::BigO>(order));
        benchmark->complexity = order != PB_GB_O_NONE;
        return 0;
    });
}

int pb_gb_benchmark_complexity_fn(struct pb_gb_benchmark *benchmark, pb_gb_complexity_fn fn,
                                  void *context)
{
    if (!fn)
        return fail(EINVAL, "no complexity function");
    return guarded([&] {
        benchmark::BigOFunc *thunk = gbench::take_complexity_slot(fn, context);
        if (!thunk)
            return fail(ENOSPC, "too many complexity functions");
        benchmark->family->Complexity(thunk);
        benchmark->complexity = true;
        return 0;
    });
}

int pb_gb_benchmark_compute_statistics(struct pb_gb_benchmark *benchmark, const char *name,
                                       pb_gb_statistic_fn fn, void *context,
                                       enum pb_gb_statistic_unit unit)
{
    if (!gbench::is_clean(name) || !fn || number(unit) < PB_GB_STATISTIC_TIME ||
        number(unit) > PB_GB_STATISTIC_PERCENTAGE)
        return fail(EINVAL, "a statistic needs a name without control characters and a function");
    return guarded([&] {
        benchmark::StatisticsFunc *thunk = gbench::take_statistic_slot(fn, context);
        if (!thunk)
            return fail(ENOSPC, "too many statistics");
        benchmark->family->ComputeStatistics(name, thunk,
                                             static_cast<benchmark::StatisticUnit>(unit));
        return 0;
    });
}

int pb_gb_benchmark_setup(struct pb_gb_benchmark *benchmark, pb_gb_body setup, void *context)
{
    if (!setup)
        return fail(EINVAL, "no setup");
    return guarded([&] {
        int error = gbench::take_hook_slot(benchmark);
        if (!error)
            benchmark->setup = {setup, context};
        return error;
    });
}

int pb_gb_benchmark_teardown(struct pb_gb_benchmark *benchmark, pb_gb_body teardown, void *context)
{
    if (!teardown)
        return fail(EINVAL, "no teardown");
    return guarded([&] {
        int error = gbench::take_hook_slot(benchmark);
        if (!error)
            benchmark->teardown = {teardown, context};
        return error;
    });
}
