include "records";
# R21: where a run was made, in full
def lacks($keys; $what): . as $it | $keys[] | select($it[.] == null) | "\($what) has no \(.)";
.[0]
| lacks(["matrix", "options", "seed", "blocks", "layouts", "aslr", "reference", "metrics", "suite", "machine", "doctor"]; "the header"),
  (.suite | lacks(["version", "git", "dirty", "compiler", "flags", "sanitizer", "check"]; "suite")),
  (.machine | lacks(["host", "cpu", "microcode", "cpus", "units", "topology", "topology_digest", "kernel", "kernel_build",
    "kernel_options", "libc", "thp", "thp_defrag", "huge_pages", "overcommit", "swappiness", "aslr", "governor", "boost", "no_turbo",
    "smt", "smt_active", "clocksource", "hypervisor", "virtual_by", "memory_bytes", "cgroup_memory_max", "cgroup_cpu_max", "rlimits",
    "mitigations", "libraries", "load", "environment", "environment_bytes", "environment_dropped", "malloc_conf_file", "clock"]; "machine")),
  (.machine | select((.cpu // "") == "" or (.kernel // "") == "" or (.libc // "") == "") | "machine does not know its processor, kernel or libc"),
  (.suite | select((.flags // "") == "") | "suite does not know its flags")
