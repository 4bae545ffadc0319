/*
 * The switch of the seeded bugs. Names exist in every build, so that tools can list them; the
 * switch only in the `bugs` variant. It is set before any thread runs and read without a lock.
 */
#include "kernel/base/faults.h"

#include <stddef.h>

static const char *const names[] = {
#define FAULTS_NAME(number, name) [(number)] = #name,
    FAULTS_BUGS(FAULTS_NAME)
#undef FAULTS_NAME
};

#ifdef QTDB_BUGS

int faults_bug_active;

int
faults_bug_set(int number)
{
    if (number != 0 && faults_bug_name(number) == NULL)
        return 0;
    faults_bug_active = number;
    return 1;
}

#else

int
faults_bug_set(int number)
{
    (void)number;
    return 0;
}

#endif

const char *
faults_bug_name(int number)
{
    if (number <= 0 || number >= BUG_LAST_PLUS_ONE)
        return NULL;
    return names[number];
}
