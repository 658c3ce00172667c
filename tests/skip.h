/* SPDX-License-Identifier: MIT */
/* For tests: a test that cannot run here says why, in a line that scripts/test shows. Include after
 * cmocka. May touch: standard output. */
#ifndef PB_TEST_SKIP_H
#define PB_TEST_SKIP_H

#define skip_because(reason)                                                                       \
    do {                                                                                           \
        print_message("skip: %s\n", (reason));                                                     \
        skip();                                                                                    \
    } while (0)

#endif
