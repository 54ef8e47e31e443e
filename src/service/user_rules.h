#ifndef ROSTER_SERVICE_USER_RULES_H
#define ROSTER_SERVICE_USER_RULES_H

#include "service/mutation.h"

/**
 * A mutation of a user with what only users have. Passwords are hashed, and pictures fetched,
 * before it is run: by whoever makes it, on threads of their own.
 */
struct user_mutation {
    struct mutation mutation;
    struct text new_password; /* in clear, to be hashed; `at` NULL: none */
    struct text compared;     /* the stored hash that it does not match; `at` NULL: not compared */
    bool is_hashed;           /* the change has the hash of `new_password` */
    struct avatar avatar;     /* the new picture, checked; `content.at` NULL: none */
    const char *avatar_extension; /* of its file name */
};

/**
 * A mutation that makes a new unrestricted administrator, before it is validated: English, active,
 * may sign in. NULL: no memory.
 */
struct mutation *user_new_administrator(const struct mutation_context *context, struct text name,
                                        struct text email, struct text password) MUST_CHECK;

/** The whole of a mutation of user_resource. */
struct user_mutation *user_mutation_of(struct mutation *mutation);

/**
 * Takes the plain password that a valid change sets, if it sets one: a plain `Password` is one, a
 * hash is imported as it is. Once, before the password is compared and hashed.
 */
void user_take_password(struct user_mutation *user);

/**
 * Must the new password be another one than the stored one? The user was asked for another
 * password, and to give the old one again does not set one. After a decision, which loaded the
 * record.
 */
bool user_must_differ(const struct user_mutation *user) MUST_CHECK;

/** Adds the error that the new password is the stored one. */
void user_refuse_same_password(struct user_mutation *user);

/** Has the change set the hash of the new password. It lives as long as the mutation. */
void user_set_hash(struct user_mutation *user, struct text hash);

#endif
