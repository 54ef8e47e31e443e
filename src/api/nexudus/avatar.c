/* GET of a user's picture, which anybody may read (docs/contract.md section 3.1). A picture is in
 * memory once, however many clients are being sent it and however slowly they read. */
#include "api/nexudus/avatar.h"

#include "api/handlers.h"
#include "api/reply.h"
#include "api/wait.h"

#include "base/budget.h"
#include "base/mutex.h"

#include <assert.h>
#include <stdlib.h>

enum { LISTS = 256, TYPE_MAX = 64 };

struct picture {
    struct picture *next; /* in one of the lists */
    int64_t user_id;
    uint64_t commits; /* the store's number of commits when the picture was read */
    unsigned holders; /* replies; the last one to end frees it */
    char type[TYPE_MAX];
    size_t size;
    char content[];
};

static struct {
    pthread_mutex_t lock;
    struct picture *lists[LISTS];
} pictures = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* These functions run with the lock held. */

static struct picture **list_of(int64_t user_id) {
    return &pictures.lists[(uint64_t)user_id % LISTS];
}

static void take_out(const struct picture *picture) {
    struct picture **place = list_of(picture->user_id);
    while (*place != picture)
        place = &(*place)->next;
    *place = picture->next;
}

static struct picture *add(int64_t user_id, const struct avatar *avatar) {
    size_t size = sizeof(struct picture) + avatar->content.len;
    if (!budget_take(size)) {
        budget_note_refusal();
        return NULL;
    }
    struct picture *picture = malloc(size);
    if (!picture) {
        budget_give(size);
        return NULL;
    }
    *picture = (struct picture){ .user_id = user_id, .size = avatar->content.len };
    memcpy(picture->type, avatar->type.at, avatar->type.len);
    memcpy(picture->content, avatar->content.at, avatar->content.len);
    struct picture **list = list_of(user_id);
    picture->next = *list;
    *list = picture;
    return picture;
}

/* Compares the bytes, because readers may return in another order than that of the changes which
 * they saw: an old picture after a new one. */
static struct picture *find(int64_t user_id, const struct avatar *avatar) {
    struct picture *picture = *list_of(user_id);
    while (picture && !(picture->user_id == user_id && picture->size == avatar->content.len &&
                        text_equal(text_of(picture->type), avatar->type) &&
                        memcmp(picture->content, avatar->content.at, picture->size) == 0))
        picture = picture->next;
    return picture;
}

/* A picture as the store returned it, and as it is shared. */
struct taking {
    int64_t user_id;
    uint64_t commits;
    struct picture *picture;
};

static void take(void *argument, const struct avatar *avatar) {
    struct taking *taking = argument;
    if (avatar->type.len >= TYPE_MAX)
        return; /* no picture that was checked has such a type */
    mutex_lock(&pictures.lock);
    struct picture *picture = find(taking->user_id, avatar);
    if (!picture)
        picture = add(taking->user_id, avatar);
    if (picture) {
        picture->holders++;
        if (picture->commits < taking->commits)
            picture->commits = taking->commits;
    }
    mutex_unlock(&pictures.lock);
    taking->picture = picture;
}

/* Shares a picture without a read if nothing was committed since it was read. */
static bool take_held(struct taking *taking) {
    mutex_lock(&pictures.lock);
    struct picture *picture = *list_of(taking->user_id);
    while (picture && !(picture->user_id == taking->user_id && picture->commits == taking->commits))
        picture = picture->next;
    if (picture) {
        picture->holders++;
        taking->picture = picture;
    }
    mutex_unlock(&pictures.lock);
    return taking->picture;
}

static void reply_picture(struct exchange *exchange, const struct picture *picture) {
    struct reply *reply = &exchange->reply;
    reply->http_status = 200;
    reply->content_type = picture->type;
    reply->body = (struct text){ picture->content, picture->size };
    /* The bytes came from another server. A browser must not interpret them as a page. */
    reply_header(exchange, "X-Content-Type-Options", "nosniff");
    reply_header(exchange, "Content-Security-Policy", "default-src 'none'; sandbox");
}

static enum status read_picture(struct store_session *session, struct request *request) {
    return store_avatar(session, request->id, take, request->exchange->state);
}

static void reply_taken(struct request *request, enum status status) {
    const struct taking *taking = request->exchange->state;
    struct reply *reply = &request->exchange->reply;
    request->picture = taking->picture;
    if (status == STATUS_NOT_FOUND) {
        reply->http_status = 200;
        reply->content_type = "application/json; charset=utf-8";
        reply->body = TEXT("null");
    } else if (status != STATUS_OK) {
        reply_failure(request, status, NULL, NULL);
    } else if (!taking->picture) {
        reply_failure(request, STATUS_FULL, NULL, NULL);
    } else {
        reply_picture(request->exchange, taking->picture);
    }
}

void avatar_get(struct request *request) {
    struct taking *taking = arena_alloc(request->arena, sizeof *taking);
    if (!taking) {
        reply_failure(request, STATUS_INTERNAL, NULL, NULL);
        return;
    }
    *taking =
        (struct taking){ .user_id = request->id, .commits = store_commits(request->app->store) };
    request->exchange->state = taking;
    if (take_held(taking))
        reply_taken(request, STATUS_OK);
    else
        request_ask(request, read_picture, reply_taken);
}

void avatar_release(struct picture *picture) {
    if (!picture)
        return;
    mutex_lock(&pictures.lock);
    bool is_last = --picture->holders == 0;
    if (is_last)
        take_out(picture);
    mutex_unlock(&pictures.lock);
    if (!is_last)
        return;
    budget_give(sizeof *picture + picture->size);
    free(picture);
}
