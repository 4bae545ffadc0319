/*
 * Checks of our own state, on in every build. A failed check stops the process: the state it
 * guards can no longer be trusted, and a crash is what the log recovers from. Never used for bytes
 * from outside: those are validated and refused with a status.
 */
#ifndef KERNEL_BASE_CHECK_H
#define KERNEL_BASE_CHECK_H

__attribute__((noreturn, cold)) void check_failed(const char *file, int line, const char *what);

#define CHECK(cond)                                  \
    do {                                             \
        if (__builtin_expect(!(cond), 0))            \
            check_failed(__FILE__, __LINE__, #cond); \
    } while (0)

/* DCHECK is for invariants that cost more than a few instructions: debug builds only. */
#ifdef QTDB_DEBUG
#define DCHECK(cond) CHECK(cond)
#else
#define DCHECK(cond) ((void)sizeof(cond))
#endif

#endif
