#ifndef ROSTER_BASE_MUTEX_H
#define ROSTER_BASE_MUTEX_H

#include <assert.h>
#include <pthread.h>

/** Locking and unlocking. They fail only when misused (an uninitialised mutex, one that another
 * thread holds), which the asserts catch. */
static inline void mutex_lock(pthread_mutex_t *mutex) {
    int failed = pthread_mutex_lock(mutex);
    assert(!failed);
    (void)failed;
}

static inline void mutex_unlock(pthread_mutex_t *mutex) {
    int failed = pthread_mutex_unlock(mutex);
    assert(!failed);
    (void)failed;
}

#endif
