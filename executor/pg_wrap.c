/*
 * libpg_query makes a thread-specific key for each thread that parses and never deletes it: after
 * 1,024 threads the process has none left. This wrapper, put in by the linker
 * (--wrap=pthread_key_create), makes one key for each destructor and hands it out again; the key holds
 * the thread's own memory context, so one is enough.
 */
#include <pthread.h>

int __real_pthread_key_create(pthread_key_t *key, void (*destructor)(void *)); /* NOLINT */
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *)); /* NOLINT */

enum { KEPT_MAX = 16 };

static struct {
    pthread_mutex_t lock;
    int count;
    pthread_key_t keys[KEPT_MAX];
    void (*destructors[KEPT_MAX])(void *);
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

int
__wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *)) /* NOLINT */
{
    int result = 0;
    int found = 0;

    pthread_mutex_lock(&kept.lock);
    while (found < kept.count && (destructor == NULL || kept.destructors[found] != destructor))
        found++;
    if (found == kept.count) {
        result = __real_pthread_key_create(key, destructor);
        if (result == 0 && destructor != NULL && kept.count < KEPT_MAX) {
            kept.keys[found] = *key;
            kept.destructors[found] = destructor;
            kept.count++;
        }
    } else {
        *key = kept.keys[found];
    }
    pthread_mutex_unlock(&kept.lock);
    return result;
}
