#ifndef ROSTER_BASE_CONTAINER_OF_H
#define ROSTER_BASE_CONTAINER_OF_H

#include <stddef.h>

/**
 * The object of `type` whose `member` the pointer points to. Code that is given a pointer to a
 * member, for example to a `struct queue_item`, finds the enclosing object with it, wherever the
 * member stands. A pointer of another type than the member's does not compile. Not for NULL.
 */
#define container_of(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(1 ? (pointer) : &((type *)0)->member) - offsetof(type, member)))

#endif
