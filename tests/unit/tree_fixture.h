/* SPDX-License-Identifier: MIT */
/* For tests: a recorded tree of /proc and /sys below a folder of its own. Include after cmocka. One
 * thread; a folder in the working folder. */
#ifndef PB_TEST_TREE_FIXTURE_H
#define PB_TEST_TREE_FIXTURE_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct recorded {
    const char *path, *text;
};

static char root[64];

static inline void tree_make(void)
{
    snprintf(root, sizeof root, "machine-XXXXXX");
    assert_non_null(mkdtemp(root));
}

/* Writes a file below the root, in the place of one that is there; its folders too. */
static inline void tree_put(const char *name, const char *text)
{
    char whole[256];
    snprintf(whole, sizeof whole, "%s%s", root, name);
    for (char *at = whole + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(whole, 0777);
        *at = '/';
    }
    FILE *file = fopen(whole, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static inline void tree_drop(const char *name)
{
    char whole[256];
    snprintf(whole, sizeof whole, "%s%s", root, name);
    assert_int_equal(unlink(whole), 0);
}

static inline int tree_remove_one(const char *name, const struct stat *s, int type, struct FTW *ftw)
{
    (void)s;
    (void)type;
    (void)ftw;
    return remove(name);
}

static inline void tree_remove(void)
{
    assert_int_equal(nftw(root, tree_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
