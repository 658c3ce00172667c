/* SPDX-License-Identifier: MIT */
/* poolbench with the faulty strategies of doubles.c added: what the end-to-end tests of planted faults
 * run. */
#include "doubles/doubles.h"
#include "registry.h"
#include "runner/verbs.h"

int main(int argc, char **argv)
{
    pb_registry_extend(pb_doubles);
    return pb_verbs_main(argc, argv);
}
