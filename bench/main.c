/* SPDX-License-Identifier: MIT */
/* poolbench: the verbs are in runner/verbs.c. */
#include "runner/verbs.h"

int main(int argc, char **argv)
{
    return pb_verbs_main(argc, argv);
}
