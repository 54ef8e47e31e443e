/* The promises of password_job.h and base/pool.h. */
#include "auth/password_job.h"

#include "base/container_of.h"
#include "crypto/secret.h"

#include <semaphore.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* crypt_blowfish's published vector */
#define OLD_HASH "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

/** A job that tells when and where it was done, and may hold its thread until it is let go. */
struct observed {
    struct password_job job;
    sem_t finished;
    sem_t *may_return; /* NULL: at once */
    pid_t thread;
    int nice;
    int times;
};

static void note(struct password_job *job) {
    struct observed *observed = container_of(job, struct observed, job);
    observed->thread = gettid();
    observed->nice = getpriority(PRIO_PROCESS, (id_t)gettid());
    observed->times++;
    sem_t *may_return = observed->may_return;
    if (sem_post(&observed->finished) != 0)
        abort();
    while (may_return && sem_wait(may_return) != 0)
        continue;
}

static void prepare(struct observed *observed, const char *password, const char *hash) {
    *observed = (struct observed){
        .job = { .password = text_of(password), .hash = text_of(hash), .done = note },
    };
    memset(observed->job.made, '#', sizeof(observed->job.made));
    assert_int_equal(sem_init(&observed->finished, 0, 0), 0);
}

static void wait_for(struct observed *observed) {
    while (sem_wait(&observed->finished) != 0)
        continue;
}

static void run(struct passwords *pool, struct observed *observed) {
    assert_int_equal(password_submit(pool, &observed->job), STATUS_OK);
    wait_for(observed);
    assert_int_equal(observed->times, 1);
    assert_false(observed->job.failed);
}

static struct passwords *start_pool(unsigned threads, size_t limit) {
    struct passwords *pool = passwords_start(threads, limit);
    assert_non_null(pool);
    return pool;
}

static void a_job_without_a_hash_makes_one_that_verifies(void **state) {
    (void)state;
    struct passwords *pool = start_pool(1, 4);
    struct observed make, right, wrong;
    prepare(&make, "correct horse", NULL);
    run(pool, &make);
    assert_int_equal(password_form(text_of(make.job.made)), PASSWORD_HASH);
    prepare(&right, "correct horse", make.job.made);
    run(pool, &right);
    assert_int_equal(right.job.match, PASSWORD_RIGHT);
    assert_string_equal(right.job.made, "");
    prepare(&wrong, "correct house", make.job.made);
    run(pool, &wrong);
    assert_int_equal(wrong.job.match, PASSWORD_WRONG);
    assert_string_equal(wrong.job.made, "");
    passwords_stop(pool);
}

static void an_old_hash_gets_a_replacement_when_the_password_is_right(void **state) {
    (void)state;
    struct passwords *pool = start_pool(1, 4);
    struct observed right, wrong;
    prepare(&right, "U*U", OLD_HASH);
    run(pool, &right);
    assert_int_equal(right.job.match, PASSWORD_RIGHT_BUT_OLD);
    assert_int_equal(password_verify(TEXT("U*U"), text_of(right.job.made)), PASSWORD_RIGHT);
    prepare(&wrong, "U*V", OLD_HASH);
    run(pool, &wrong);
    assert_int_equal(wrong.job.match, PASSWORD_WRONG);
    assert_string_equal(wrong.job.made, "");
    passwords_stop(pool);
}

/* An account without a password has an empty hash, which must not be taken for "make one". */
static void an_empty_hash_is_verified_and_wrong(void **state) {
    (void)state;
    struct passwords *pool = start_pool(1, 4);
    struct observed job;
    prepare(&job, "", "");
    job.job.match = PASSWORD_RIGHT;
    run(pool, &job);
    assert_int_equal(job.job.match, PASSWORD_WRONG);
    assert_string_equal(job.job.made, "");
    passwords_stop(pool);
}

static void jobs_run_on_threads_that_give_way(void **state) {
    (void)state;
    struct passwords *pool = start_pool(1, 4);
    struct observed job;
    prepare(&job, "x", NULL);
    run(pool, &job);
    int nice = getpriority(PRIO_PROCESS, 0);
    assert_int_not_equal(job.thread, gettid());
    assert_true(job.nice == 10 || job.nice == nice);
    assert_true(nice >= 10 || job.nice == 10);
    passwords_stop(pool);
}

static void too_many_waiting_jobs_are_refused_and_never_done(void **state) {
    (void)state;
    enum { LIMIT = 3 };
    struct passwords *pool = start_pool(1, LIMIT);
    struct observed first, waiting[LIMIT], refused, last;
    sem_t gate;
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    prepare(&first, "x", NULL);
    first.may_return = &gate;
    run(pool, &first); /* holds the only thread from now on */
    for (size_t i = 0; i < LIMIT; i++) {
        prepare(&waiting[i], "x", NULL);
        assert_int_equal(password_submit(pool, &waiting[i].job), STATUS_OK);
    }
    prepare(&refused, "x", NULL);
    assert_int_equal(password_submit(pool, &refused.job), STATUS_TOO_MANY);
    assert_int_equal(sem_post(&gate), 0);
    for (size_t i = 0; i < LIMIT; i++)
        wait_for(&waiting[i]);
    prepare(&last, "x", NULL);
    run(pool, &last); /* there is room again */
    passwords_stop(pool);
    assert_int_equal(refused.times, 0);
}

static void stopping_finishes_what_waits(void **state) {
    (void)state;
    enum { JOBS = 16 };
    struct passwords *pool = start_pool(2, 0);
    static struct observed jobs[JOBS];
    for (size_t i = 0; i < JOBS; i++) {
        prepare(&jobs[i], i % 2 ? "U*U" : "U*V", OLD_HASH);
        assert_int_equal(password_submit(pool, &jobs[i].job), STATUS_OK);
    }
    passwords_stop(pool);
    for (size_t i = 0; i < JOBS; i++) {
        assert_int_equal(jobs[i].times, 1);
        assert_int_equal(jobs[i].job.match, i % 2 ? PASSWORD_RIGHT_BUT_OLD : PASSWORD_WRONG);
    }
    passwords_stop(NULL);
}

/* Each holds its thread until all were begun: with fewer threads than jobs this would never end. */
static void as_many_jobs_run_at_once_as_there_are_threads(void **state) {
    (void)state;
    enum { THREADS = 4 };
    struct passwords *pool = start_pool(THREADS, THREADS);
    struct observed jobs[THREADS];
    sem_t gate;
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    for (size_t i = 0; i < THREADS; i++) {
        prepare(&jobs[i], "x", NULL);
        jobs[i].may_return = &gate;
        assert_int_equal(password_submit(pool, &jobs[i].job), STATUS_OK);
    }
    for (size_t i = 0; i < THREADS; i++)
        wait_for(&jobs[i]);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(sem_post(&gate), 0);
    passwords_stop(pool);
}

/* The test computes no expensive hash: the thread is held by `done` of the job before it. */
static void a_dear_hash_keeps_nobody_else_waiting(void **state) {
    (void)state;
    enum { DEAR = 6 };
    static const char dear_hash[] = "$2b$13$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    struct passwords *pool = start_pool(1, DEAR);
    static struct observed dear[DEAR + 1];
    struct observed other;
    sem_t gate;
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    for (size_t i = 0; i < DEAR; i++) {
        prepare(&dear[i], "a guess", dear_hash);
        dear[i].may_return = &gate;
        assert_int_equal(password_submit(pool, &dear[i].job), STATUS_OK);
    }
    wait_for(&dear[0]); /* the thread for such hashes is held from now on */
    assert_int_equal(passwords_stats(pool).dear_waiting, DEAR - 1);
    assert_int_equal(passwords_stats(pool).dear_done, 1);
    prepare(&other, "x", NULL);
    run(pool, &other);
    assert_int_not_equal(other.thread, dear[0].thread);
    assert_int_equal(passwords_stats(pool).done, 1);
    assert_int_equal(passwords_stats(pool).dear_waiting, DEAR - 1);
    for (size_t i = 0; i < DEAR; i++)
        assert_int_equal(sem_post(&gate), 0);
    passwords_stop(pool);
    for (size_t i = 0; i < DEAR; i++) {
        assert_int_equal(dear[i].times, 1);
        assert_int_equal(dear[i].thread, dear[0].thread); /* one at a time */
        assert_int_equal(dear[i].job.match, PASSWORD_WRONG);
    }
}

/* NFC of e, acute, and what a client that does not compose sends. */
#define COMPOSED "\xC3\xA9l\xC3\xA8ve m\xC3\xA9t\xC3\xA9o"
#define DECOMPOSED "e\xCC\x81le\xCC\x80ve me\xCC\x81te\xCC\x81o"

static void a_password_is_hashed_in_its_normal_form(void **state) {
    (void)state;
    static const char *const spellings[] = { COMPOSED, DECOMPOSED };
    struct passwords *pool = start_pool(1, 4);
    for (size_t made_of = 0; made_of < 2; made_of++) {
        struct observed make, check;
        prepare(&make, spellings[made_of], NULL);
        run(pool, &make);
        assert_int_equal(password_verify(TEXT(COMPOSED), text_of(make.job.made)), PASSWORD_RIGHT);
        for (size_t given = 0; given < 2; given++) {
            prepare(&check, spellings[given], make.job.made);
            run(pool, &check);
            assert_int_equal(check.job.match, PASSWORD_RIGHT);
        }
    }
    passwords_stop(pool);
}

/* An imported hash, or one of our own from before there was a normal form. */
static void a_hash_of_another_form_is_checked_as_given_and_renewed(void **state) {
    (void)state;
    char hash[PASSWORD_HASH_MAX];
    struct passwords *pool = start_pool(1, 4);
    struct observed check, wrong;
    assert_true(password_hash(TEXT(DECOMPOSED), hash));
    prepare(&check, DECOMPOSED, hash);
    run(pool, &check);
    assert_int_equal(check.job.match, PASSWORD_RIGHT_BUT_OLD);
    assert_int_equal(password_verify(TEXT(COMPOSED), text_of(check.job.made)), PASSWORD_RIGHT);
    prepare(&wrong, DECOMPOSED "x", hash);
    run(pool, &wrong);
    assert_int_equal(wrong.job.match, PASSWORD_WRONG);
    passwords_stop(pool);
}

static int start(void **state) {
    (void)state;
    return crypto_start() ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_without_a_hash_makes_one_that_verifies),
        cmocka_unit_test(an_old_hash_gets_a_replacement_when_the_password_is_right),
        cmocka_unit_test(an_empty_hash_is_verified_and_wrong),
        cmocka_unit_test(jobs_run_on_threads_that_give_way),
        cmocka_unit_test(too_many_waiting_jobs_are_refused_and_never_done),
        cmocka_unit_test(stopping_finishes_what_waits),
        cmocka_unit_test(as_many_jobs_run_at_once_as_there_are_threads),
        cmocka_unit_test(a_dear_hash_keeps_nobody_else_waiting),
        cmocka_unit_test(a_password_is_hashed_in_its_normal_form),
        cmocka_unit_test(a_hash_of_another_form_is_checked_as_given_and_renewed),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
