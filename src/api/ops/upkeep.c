#include "api/ops/upkeep.h"

#include "base/mutex.h"
#include "base/time.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

struct upkeep {
    pthread_mutex_t lock; /* of `state`, and of the turn at the socket */
    int socket;
    const char *folder;
    struct upkeep_state state;
};

struct upkeep *upkeep_new(int socket, const char *folder) {
    struct upkeep *upkeep = calloc(1, sizeof *upkeep);
    if (!upkeep || pthread_mutex_init(&upkeep->lock, NULL) != 0) {
        free(upkeep);
        return NULL;
    }
    upkeep->socket = socket;
    upkeep->folder = folder;
    return upkeep;
}

const char *upkeep_folder(const struct upkeep *upkeep) {
    return upkeep->folder;
}

/* Takes the result of a task that has ended, or notes that the helper, and the task with it, has.
 */
static void take_result(struct upkeep *upkeep) {
    struct upkeep_state *state = &upkeep->state;
    if (!state->is_running)
        return;
    const ssize_t got = recv(upkeep->socket, &state->result, sizeof state->result, MSG_DONTWAIT);
    if (got < 0)
        return; /* not yet */
    if ((size_t)got != sizeof state->result || state->result.len > UPKEEP_OUTPUT)
        state->result = (struct upkeep_result){ .code = EX_OSERR };
    state->is_running = false;
    state->ended_ms = time_now_ms();
}

enum status upkeep_begin(struct upkeep *upkeep, enum upkeep_task task) {
    const unsigned char message = (unsigned char)task;
    enum status status = STATUS_CONFLICT;
    mutex_lock(&upkeep->lock);
    take_result(upkeep);
    if (!upkeep->state.is_running) {
        bool is_sent = send(upkeep->socket, &message, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
        status = is_sent ? STATUS_OK : STATUS_UNAVAILABLE;
    }
    if (status == STATUS_OK)
        upkeep->state =
            (struct upkeep_state){ .task = task, .is_running = true, .started_ms = time_now_ms() };
    mutex_unlock(&upkeep->lock);
    return status;
}

void upkeep_read(struct upkeep *upkeep, struct upkeep_state *state) {
    mutex_lock(&upkeep->lock);
    take_result(upkeep);
    *state = upkeep->state;
    mutex_unlock(&upkeep->lock);
}

void upkeep_free(struct upkeep *upkeep) {
    if (!upkeep)
        return;
    (void)close(upkeep->socket); /* the helper sees it */
    (void)pthread_mutex_destroy(&upkeep->lock);
    free(upkeep);
}
