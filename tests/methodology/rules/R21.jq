# R21: where a run was made, in full
.[0] as $run
| ([["run", "matrix", "options", "seed", "blocks", "reference", "metrics", "suite", "machine"][]
    | select($run[.] == null) | "the header has no \(.)"],
   [["version", "git", "compiler", "flags", "sanitizer", "check"][] | select($run.suite[.] == null) | "suite has no \(.)"],
   [["host", "cpu", "microcode", "cpus", "topology", "kernel", "libc", "thp", "huge_pages", "aslr", "governor", "smt",
     "clocksource", "hypervisor", "memory_bytes", "cgroup_memory_max", "cgroup_cpu_max", "mitigations", "libraries", "load", "clock"][]
    | select($run.machine[.] == null) | "machine has no \(.)"])[][]
