#ifndef ROSTER_BASE_CONTAINER_OF_H
#define ROSTER_BASE_CONTAINER_OF_H

#include <stddef.h>

/**
 * The object of `type` whose `member` the pointer points to. What is handed to other code as a
 * member of something larger is found again by it, wherever the member stands. It does not compile
 * for a pointer to another type. Not for NULL.
 */
#define container_of(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(1 ? (pointer) : &((type *)0)->member) - offsetof(type, member)))

#endif
