/* The promises of queue.h, on one thread and between several. The threads only count, and the
 * test's own thread asserts, because cmocka's assertions work only on the thread that runs the
 * test. */
#include "base/queue.h"

#include "base/container_of.h"
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct number {
    struct queue_item item;
    size_t value;
};

static void put_all(struct queue *queue, struct number *numbers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        numbers[i].value = i;
        assert_true(queue_put(queue, &numbers[i].item));
    }
}

static void first_in_is_first_out(void **state) {
    (void)state;
    struct queue queue;
    struct number numbers[5];
    assert_true(queue_init(&queue, 0));
    for (int round = 0; round < 2; round++) { /* the second time after it has become empty */
        put_all(&queue, numbers, 5);
        for (size_t i = 0; i < 5; i++)
            assert_ptr_equal(queue_take(&queue), &numbers[i]);
    }
    queue_destroy(&queue);
}

static void all_are_taken_as_one_list_in_order(void **state) {
    (void)state;
    struct queue queue;
    struct number numbers[5];
    assert_true(queue_init(&queue, 0));
    for (int round = 0; round < 2; round++) {
        put_all(&queue, numbers, 5);
        struct queue_item *item = queue_take_all(&queue, -1);
        for (size_t i = 0; i < 5; i++, item = item->next)
            assert_ptr_equal(item, &numbers[i]);
        assert_null(item);
        assert_null(queue_take_all(&queue, 0));
    }
    queue_destroy(&queue);
}

static void a_full_queue_refuses_until_something_is_taken(void **state) {
    (void)state;
    struct queue queue;
    struct number numbers[3], more = { .value = 9 };
    assert_true(queue_init(&queue, 3));
    put_all(&queue, numbers, 3);
    assert_false(queue_put(&queue, &more.item));
    assert_ptr_equal(queue_take(&queue), &numbers[0]);
    assert_true(queue_put(&queue, &more.item));
    assert_false(queue_put(&queue, &numbers[0].item));
    struct queue_item *item = queue_take_all(&queue, 0);
    assert_ptr_equal(item, &numbers[1]);
    assert_ptr_equal(item->next->next, &more);
    put_all(&queue, numbers, 3);
    assert_false(queue_put(&queue, &more.item));
    assert_int_equal(queue_refused(&queue), 3);
    assert_true(queue_put_always(&queue, &more.item));
    assert_int_equal(queue_length(&queue), 4);
    assert_non_null(queue_take_all(&queue, 0));
    queue_close(&queue);
    assert_false(queue_put_always(&queue, &more.item));
    assert_int_equal(queue_refused(&queue), 3);
    queue_destroy(&queue);
}

static void a_closed_queue_refuses_but_gives_what_waits(void **state) {
    (void)state;
    struct queue queue;
    struct number numbers[3], more = { .value = 9 };
    assert_true(queue_init(&queue, 0));
    assert_false(queue_is_done(&queue));
    put_all(&queue, numbers, 3);
    queue_close(&queue);
    assert_false(queue_put(&queue, &more.item));
    assert_false(queue_is_done(&queue));
    assert_ptr_equal(queue_take(&queue), &numbers[0]);
    assert_ptr_equal(queue_take_all(&queue, -1), &numbers[1]);
    assert_true(queue_is_done(&queue));
    assert_null(queue_take(&queue));
    assert_null(queue_take_all(&queue, -1));
    assert_null(queue_take_all(&queue, 1000));
    queue_close(&queue); /* closing twice is allowed */
    queue_destroy(&queue);
}

static void waiting_ends_when_the_time_is_up(void **state) {
    (void)state;
    struct queue queue;
    assert_true(queue_init(&queue, 0));
    assert_null(queue_take_all(&queue, 0));
    int64_t start = time_monotonic_ms();
    assert_null(queue_take_all(&queue, 30));
    assert_true(time_monotonic_ms() - start >= 29);
    int to_next_second = (int)(1000 - time_monotonic_ms() % 1000);
    assert_null(queue_take_all(&queue, to_next_second));
    queue_destroy(&queue);
}

static void *put_one_later(void *argument) {
    static struct number number;
    (void)usleep(20000);
    return queue_put(argument, &number.item) ? &number : NULL;
}

static void *close_later(void *argument) {
    (void)usleep(20000);
    queue_close(argument);
    return NULL;
}

static void *take_one(void *argument) {
    return queue_take(argument);
}

static void an_item_wakes_who_waits(void **state) {
    (void)state;
    struct queue queue;
    pthread_t thread;
    void *number;
    assert_true(queue_init(&queue, 0));
    assert_int_equal(pthread_create(&thread, NULL, put_one_later, &queue), 0);
    struct queue_item *taken = queue_take_all(&queue, 20000);
    assert_int_equal(pthread_join(thread, &number), 0);
    assert_non_null(number);
    assert_ptr_equal(taken, number);
    assert_int_equal(pthread_create(&thread, NULL, put_one_later, &queue), 0);
    taken = queue_take(&queue);
    assert_int_equal(pthread_join(thread, &number), 0);
    assert_ptr_equal(taken, number);
    queue_destroy(&queue);
}

/* Several items may be put before the first woken thread has taken one. Only it can wake the next.
 */
static void each_of_several_items_wakes_one_who_waits(void **state) {
    (void)state;
    enum { WAITING = 3, ROUNDS = 200, HANGS_AFTER_S = 60 };
    struct timespec deadline;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &deadline), 0);
    deadline.tv_sec += HANGS_AFTER_S;
    for (int round = 0; round < ROUNDS; round++) {
        struct queue queue;
        struct number numbers[WAITING];
        pthread_t waiting[WAITING];
        assert_true(queue_init(&queue, 0));
        for (size_t i = 0; i < WAITING; i++)
            assert_int_equal(pthread_create(&waiting[i], NULL, take_one, &queue), 0);
        (void)usleep(200); /* by then some of the threads wait */
        put_all(&queue, numbers, WAITING);
        for (size_t i = 0; i < WAITING; i++) {
            void *taken = NULL;
            assert_int_equal(pthread_timedjoin_np(waiting[i], &taken, &deadline), 0);
            assert_non_null(taken);
        }
        queue_destroy(&queue);
    }
}

static void *take_what_is_wanted(void *argument) {
    return queue_take_all(argument, -1);
}

static size_t length_of(const struct queue_item *item) {
    size_t length = 0;
    for (; item; item = item->next)
        length++;
    return length;
}

/* Starts a thread that takes all, and puts the others one by one. Returns how many it took. */
static size_t take_while_putting(struct queue *queue, struct number *numbers, size_t count) {
    pthread_t thread;
    void *taken;
    assert_int_equal(pthread_create(&thread, NULL, take_what_is_wanted, queue), 0);
    for (size_t i = 0; i < count; i++) {
        (void)usleep(5000);
        assert_true(queue_put(queue, &numbers[i].item));
    }
    assert_int_equal(pthread_join(thread, &taken), 0);
    return length_of(taken);
}

static void all_are_taken_when_there_are_as_many_as_wanted(void **state) {
    (void)state;
    struct queue queue;
    struct number numbers[3];
    const int one = 1, another = 2; /* of which only the places count */
    assert_true(queue_init(&queue, 0));
    queue_want(&queue, 3, &one);
    assert_int_equal(take_while_putting(&queue, numbers, 3), 3);
    put_all(&queue, numbers, 3); /* there are enough already */
    assert_int_equal(length_of(queue_take_all(&queue, -1)), 3);
    queue_want(&queue, 2, &another);
    queue_want_any(&queue, &one); /* which is not the last one that wants */
    assert_int_equal(take_while_putting(&queue, numbers, 2), 2);
    queue_want_any(&queue, &another);
    assert_int_equal(take_while_putting(&queue, numbers, 1), 1);
    queue_want(&queue, 0, &one);
    assert_null(queue_take_all(&queue, 0));
    assert_int_equal(take_while_putting(&queue, numbers, 1), 1);
    queue_destroy(&queue);
}

static void who_waits_for_many_is_content_with_fewer(void **state) {
    (void)state;
    struct queue queue;
    struct number number;
    pthread_t thread;
    void *taken;
    assert_true(queue_init(&queue, 0));
    queue_want(&queue, 3, &queue);
    assert_true(queue_put(&queue, &number.item));
    assert_int_equal(pthread_create(&thread, NULL, take_what_is_wanted, &queue), 0);
    (void)usleep(5000);
    queue_want_any(&queue, &queue);
    assert_int_equal(pthread_join(thread, &taken), 0);
    assert_ptr_equal(taken, &number);
    queue_want(&queue, 3, &queue);
    assert_true(queue_put(&queue, &number.item));
    queue_close(&queue);
    assert_ptr_equal(queue_take_all(&queue, -1), &number);
    assert_null(queue_take_all(&queue, -1));
    queue_destroy(&queue);
}

static void closing_wakes_everyone_who_waits(void **state) {
    (void)state;
    enum { WAITING = 3 };
    struct queue queue;
    pthread_t closing, waiting[WAITING];
    assert_true(queue_init(&queue, 0));
    for (size_t i = 0; i < WAITING; i++)
        assert_int_equal(pthread_create(&waiting[i], NULL, take_one, &queue), 0);
    assert_int_equal(pthread_create(&closing, NULL, close_later, &queue), 0);
    assert_null(queue_take_all(&queue, -1));
    for (size_t i = 0; i < WAITING; i++) {
        void *taken = &queue;
        assert_int_equal(pthread_join(waiting[i], &taken), 0);
        assert_null(taken);
    }
    assert_int_equal(pthread_join(closing, NULL), 0);
    queue_destroy(&queue);
}

enum { PRODUCERS = 3, CONSUMERS = 3, EACH = 20000 };

struct producer {
    struct queue *queue;
    struct number *numbers;
    size_t refused;
};

/* Puts an item, and tries again while the queue is full: queue_put itself never waits. */
static void *produce(void *argument) {
    struct producer *producer = argument;
    for (size_t i = 0; i < EACH; i++)
        while (!queue_put(producer->queue, &producer->numbers[i].item)) {
            producer->refused++;
            (void)sched_yield();
        }
    return NULL;
}

struct consumer {
    struct queue *queue;
    size_t count, sum;
    bool takes_all;
};

static void *consume(void *argument) {
    struct consumer *consumer = argument;
    for (;;) {
        struct queue_item *item =
            consumer->takes_all ? queue_take_all(consumer->queue, -1) : queue_take(consumer->queue);
        if (!item)
            return NULL;
        do { /* `next` of an item that was taken alone may point to one that another thread has
                taken */
            struct queue_item *next = consumer->takes_all ? item->next : NULL;
            consumer->count++;
            consumer->sum += container_of(item, struct number, item)->value;
            item = next;
        } while (item);
    }
}

static void every_item_arrives_once(void **state) {
    (void)state;
    struct queue queue;
    struct number *numbers = calloc((size_t)PRODUCERS * EACH, sizeof *numbers);
    struct producer producers[PRODUCERS];
    struct consumer consumers[CONSUMERS];
    pthread_t threads[PRODUCERS + CONSUMERS];
    assert_non_null(numbers);
    assert_true(queue_init(&queue, 100));
    for (size_t i = 0; i < (size_t)PRODUCERS * EACH; i++)
        numbers[i].value = i;
    for (size_t i = 0; i < CONSUMERS; i++) {
        consumers[i] = (struct consumer){ .queue = &queue, .takes_all = i == 0 };
        assert_int_equal(pthread_create(&threads[PRODUCERS + i], NULL, consume, &consumers[i]), 0);
    }
    for (size_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){ .queue = &queue, .numbers = numbers + i * EACH };
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    for (size_t i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    queue_close(&queue);
    size_t count = 0, sum = 0, all = (size_t)PRODUCERS * EACH;
    for (size_t i = 0; i < CONSUMERS; i++) {
        assert_int_equal(pthread_join(threads[PRODUCERS + i], NULL), 0);
        count += consumers[i].count;
        sum += consumers[i].sum;
    }
    assert_int_equal(count, all);
    assert_int_equal(sum, all * (all - 1) / 2);
    assert_true(queue_is_done(&queue));
    queue_destroy(&queue);
    free(numbers);
}

static void what_one_thread_puts_arrives_in_its_order(void **state) {
    (void)state;
    struct queue queue;
    struct number *numbers = calloc(EACH, sizeof *numbers);
    struct producer producer = { .queue = &queue, .numbers = numbers };
    pthread_t thread;
    assert_non_null(numbers);
    assert_true(queue_init(&queue, 50));
    assert_int_equal(pthread_create(&thread, NULL, produce, &producer), 0);
    for (size_t i = 0; i < EACH; i++)
        assert_ptr_equal(queue_take(&queue), &numbers[i]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    queue_destroy(&queue);
    free(numbers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_is_first_out),
        cmocka_unit_test(all_are_taken_as_one_list_in_order),
        cmocka_unit_test(a_full_queue_refuses_until_something_is_taken),
        cmocka_unit_test(a_closed_queue_refuses_but_gives_what_waits),
        cmocka_unit_test(waiting_ends_when_the_time_is_up),
        cmocka_unit_test(an_item_wakes_who_waits),
        cmocka_unit_test(each_of_several_items_wakes_one_who_waits),
        cmocka_unit_test(all_are_taken_when_there_are_as_many_as_wanted),
        cmocka_unit_test(who_waits_for_many_is_content_with_fewer),
        cmocka_unit_test(closing_wakes_everyone_who_waits),
        cmocka_unit_test(every_item_arrives_once),
        cmocka_unit_test(what_one_thread_puts_arrives_in_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
