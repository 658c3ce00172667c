/* SPDX-License-Identifier: MIT */
/* The machine as the library sees it, behind gbench.h. It looks once, at the first question.
 *
 * Threads: any, after the first call. */
#include "gbench_internal.hpp"

using gbench::fail;
using gbench::guarded;

int pb_gb_get_cpu_info(struct pb_gb_cpu_info *info)
{
    return guarded([&] {
        const auto &cpu = benchmark::CPUInfo::Get();
        *info = {cpu.num_cpus, static_cast<pb_gb_scaling>(cpu.scaling), cpu.cycles_per_second,
                 cpu.caches.size(), cpu.load_avg.size()};
        return 0;
    });
}

int pb_gb_get_cpu_cache(size_t index, struct pb_gb_cpu_cache *cache)
{
    return guarded([&] {
        const auto &caches = benchmark::CPUInfo::Get().caches;
        if (index >= caches.size())
            return fail(ENOENT, "there are %zu caches", caches.size());
        const auto &found = caches[index];
        *cache = {found.type.c_str(), found.level, found.size, found.num_sharing};
        return 0;
    });
}

int pb_gb_get_load_avg(size_t index, double *load)
{
    return guarded([&] {
        const auto &loads = benchmark::CPUInfo::Get().load_avg;
        if (index >= loads.size())
            return fail(ENOENT, "there are %zu load averages", loads.size());
        *load = loads[index];
        return 0;
    });
}

const char *pb_gb_get_system_name(void)
{
    const char *name = "";
    guarded([&] {
        name = benchmark::SystemInfo::Get().name.c_str();
        return 0;
    });
    return name;
}
