/* The promises of seal.h; key files lie in a folder of their own under the system's temporary one.
 */
#include "crypto/seal.h"

#include "crypto/secret.h"
#include "model/tables.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char folder[64];
static char path[80];
static char why[256];

static int make_folder(void **state) {
    (void)state;
    const char *root = getenv("TMPDIR");
    int len = snprintf(folder, sizeof(folder), "%.40s/seal-XXXXXX", root ? root : "/tmp");
    if (len < 0 || !mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/key", folder);
    why[0] = '\0';
    return 0;
}

static int is_file(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

/* Removes all files and counts them. */
static int empty_folder(void) {
    struct dirent **files;
    int count = scandir(folder, &files, is_file, alphasort);
    assert_true(count >= 0);
    for (int i = 0; i < count; i++) {
        char name[sizeof(folder) + sizeof(files[i]->d_name)];
        (void)snprintf(name, sizeof(name), "%s/%s", folder, files[i]->d_name);
        assert_int_equal(unlink(name), 0);
        free(files[i]);
    }
    free(files);
    return count;
}

static int remove_folder(void **state) {
    (void)state;
    (void)empty_folder();
    return rmdir(folder);
}

static void write_file(const void *bytes, size_t size, mode_t mode) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), size);
    assert_int_equal(fchmod(file, mode), 0);
    assert_int_equal(close(file), 0);
}

static struct seal_key *open_key(bool may_create) {
    return seal_key_open(path, may_create, why, sizeof(why));
}

/* True if each key decrypts what the other has sealed. */
static bool are_equal(const struct seal_key *a, const struct seal_key *b) {
    struct arena arena = { 0 };
    struct text sealed = seal(a, TEXT("x"), TEXT("y"), &arena);
    assert_non_null(sealed.at);
    bool equal = unseal(b, sealed, TEXT("y"), &arena).at != NULL;
    arena_close(&arena);
    return equal;
}

static void a_missing_key_is_made_once_and_for_its_owner_alone(void **state) {
    (void)state;
    mode_t mask = umask(0);
    struct seal_key *key = open_key(true);
    (void)umask(mask);
    assert_non_null(key);
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode, S_IFREG | 0600);
    assert_int_equal(facts.st_size, 32);
    assert_int_equal(facts.st_nlink, 1);
    struct seal_key *again = open_key(true), *third = open_key(false);
    assert_non_null(again);
    assert_non_null(third);
    assert_true(are_equal(key, again));
    assert_true(are_equal(key, third));
    seal_key_free(key);
    seal_key_free(again);
    seal_key_free(third);
    assert_int_equal(empty_folder(), 1);
}

static void two_keys_differ(void **state) {
    (void)state;
    struct seal_key *key = open_key(true);
    assert_int_equal(empty_folder(), 1);
    struct seal_key *other = open_key(true);
    assert_non_null(key);
    assert_non_null(other);
    assert_false(are_equal(key, other));
    seal_key_free(key);
    seal_key_free(other);
}

static void a_missing_key_is_not_made_unasked(void **state) {
    (void)state;
    assert_null(open_key(false));
    assert_non_null(strstr(why, path));
    assert_non_null(strstr(why, "no such key file"));
    assert_int_equal(empty_folder(), 0);
}

static void a_key_that_others_can_read_is_refused(void **state) {
    (void)state;
    static const mode_t modes[] = { 0640, 0620, 0604, 0602, 0610, 0601, 0644, 0777 };
    static const char key[32] = "a key that should be kept hidden";
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        write_file(key, 32, modes[i]);
        assert_null(open_key(true));
        assert_non_null(strstr(why, "chmod 600 /"));
        assert_non_null(strstr(why, path));
        assert_null(strstr(why, "hidden"));
    }
}

static void a_key_of_wrong_size_is_refused_and_left_alone(void **state) {
    (void)state;
    static const char bytes[64] = { 1 };
    static const size_t sizes[] = { 0, 1, 31, 33, 64 };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        write_file(bytes, sizes[i], 0600);
        assert_null(open_key(true));
        assert_non_null(strstr(why, "32 bytes"));
        struct stat facts;
        assert_int_equal(stat(path, &facts), 0);
        assert_int_equal(facts.st_size, sizes[i]);
    }
}

static void what_is_no_file_is_refused_without_waiting(void **state) {
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(open_key(true));
    assert_non_null(strstr(why, "not a regular file"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_null(open_key(true));
    assert_non_null(strstr(why, "not a regular file"));
    assert_int_equal(rmdir(path), 0);
}

static void a_key_in_a_missing_folder_is_refused(void **state) {
    (void)state;
    char nowhere[128];
    (void)snprintf(nowhere, sizeof(nowhere), "%s/none/key", folder);
    assert_null(seal_key_open(nowhere, true, why, sizeof(why)));
    assert_non_null(strstr(why, "cannot be created: No such file or directory"));
}

static void a_reason_fits_its_room(void **state) {
    (void)state;
    char small[12] = "###########";
    assert_null(seal_key_open(path, false, small, 8));
    assert_int_equal(strlen(small), 7);
    assert_int_equal(small[8], '#');
}

static void a_key_beside_which_one_stands_in_the_working_folder(void **state) {
    (void)state;
    int before = open(".", O_RDONLY | O_DIRECTORY);
    assert_true(before >= 0);
    assert_int_equal(chdir(folder), 0);
    struct seal_key *key = seal_key_open("key", true, why, sizeof(why));
    assert_int_equal(fchdir(before), 0);
    assert_int_equal(close(before), 0);
    assert_non_null(key);
    seal_key_free(key);
    assert_int_equal(access(path, F_OK), 0);
}

/* Processes that start at the same time must all get the same key. */
static void many_processes_make_one_key(void **state) {
    (void)state;
    enum { PROCESSES = 8 };
    pid_t children[PROCESSES];
    int go[2];
    assert_int_equal(pipe(go), 0);
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            char byte;
            (void)close(go[1]);
            bool started = read(go[0], &byte, 1) == 0;
            struct seal_key *key = started ? seal_key_open(path, true, why, sizeof(why)) : NULL;
            struct arena arena = { 0 };
            struct text sealed = key ? seal(key, TEXT("x"), TEXT("y"), &arena) : TEXT("");
            char name[128];
            (void)snprintf(name, sizeof(name), "%s/sealed-%d", folder, i);
            FILE *file = fopen(name, "wb");
            bool written = file && fwrite(sealed.at, 1, sealed.len, file) == sealed.len;
            arena_close(&arena);
            seal_key_free(key);
            _exit(file && fclose(file) == 0 && written ? 0 : 1);
        }
    }
    assert_int_equal(close(go[0]), 0);
    assert_int_equal(close(go[1]), 0);
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    struct seal_key *key = open_key(false);
    assert_non_null(key);
    for (int i = 0; i < PROCESSES; i++) {
        char name[128], sealed[128];
        (void)snprintf(name, sizeof(name), "%s/sealed-%d", folder, i);
        FILE *file = fopen(name, "rb");
        assert_non_null(file);
        struct text text = { sealed, fread(sealed, 1, sizeof(sealed), file) };
        assert_int_equal(fclose(file), 0);
        struct arena arena = { 0 };
        assert_non_null(unseal(key, text, TEXT("y"), &arena).at);
        arena_close(&arena);
    }
    seal_key_free(key);
    assert_int_equal(empty_folder(), 1 + PROCESSES); /* no temporary file is left */
}

static void what_was_sealed_opens_where_it_belongs(void **state) {
    (void)state;
    struct seal_key *key = open_key(true);
    assert_non_null(key);
    struct arena arena = { 0 };
    static char large[100000];
    random_bytes(large, sizeof(large));
    const struct text plains[] = { { NULL, 0 },   { "", 0 },
                                   { "x", 1 },    { "JBSWY3DPEHPK3PXP", 16 },
                                   { "a\0b", 3 }, { large, sizeof(large) } };
    for (size_t i = 0; i < sizeof(plains) / sizeof(plains[0]); i++) {
        struct text sealed = seal(key, plains[i], TEXT("users:7:TwoFactorSecret"), &arena);
        assert_non_null(sealed.at);
        assert_int_equal(sealed.len, plains[i].len + 24 + 16);
        struct text plain = unseal(key, sealed, TEXT("users:7:TwoFactorSecret"), &arena);
        assert_non_null(plain.at);
        assert_true(text_equal(plain, plains[i]));
        assert_null(unseal(key, sealed, TEXT("users:8:TwoFactorSecret"), &arena).at);
        assert_null(unseal(key, sealed, TEXT("users:7:AccessToken"), &arena).at);
        assert_null(unseal(key, sealed, (struct text){ 0 }, &arena).at);
    }
    arena_close(&arena);
    seal_key_free(key);
}

static void sealing_twice_gives_two_texts(void **state) {
    (void)state;
    struct seal_key *key = open_key(true);
    assert_non_null(key);
    struct arena arena = { 0 };
    struct text one = seal(key, TEXT("secret"), TEXT("here"), &arena);
    struct text two = seal(key, TEXT("secret"), TEXT("here"), &arena);
    assert_int_equal(one.len, two.len);
    assert_memory_not_equal(one.at, two.at, 24);
    assert_memory_not_equal(one.at + 24, two.at + 24, 6);
    assert_null(memmem(one.at, one.len, "secret", 6));
    arena_close(&arena);
    seal_key_free(key);
}

static void what_was_changed_or_cut_does_not_open(void **state) {
    (void)state;
    struct seal_key *key = open_key(true);
    assert_non_null(key);
    struct arena arena = { 0 };
    struct text sealed = seal(key, TEXT("secret"), TEXT("here"), &arena);
    char changed[46];
    assert_int_equal(sealed.len, sizeof(changed));
    memcpy(changed, sealed.at, sizeof(changed));
    for (size_t bit = 0; bit < sizeof(changed) * 8; bit++) {
        changed[bit / 8] = (char)(changed[bit / 8] ^ (1 << bit % 8));
        struct text text = { changed, sizeof(changed) };
        assert_null(unseal(key, text, TEXT("here"), &arena).at);
        changed[bit / 8] = sealed.at[bit / 8];
    }
    for (size_t len = 0; len < sealed.len; len++)
        assert_null(unseal(key, (struct text){ sealed.at, len }, TEXT("here"), &arena).at);
    assert_null(unseal(key, (struct text){ 0 }, TEXT("here"), &arena).at);
    assert_non_null(unseal(key, sealed, TEXT("here"), &arena).at);
    arena_close(&arena);
    seal_key_free(key);
}

static void short_memory_gives_nothing(void **state) {
    (void)state;
    struct seal_key *key = open_key(true);
    assert_non_null(key);
    static char large[100000];
    struct arena small, roomy = { 0 };
    arena_init(&small, 32768);
    struct text plain = { large, sizeof(large) };
    assert_null(seal(key, plain, TEXT("here"), &small).at);
    struct text sealed = seal(key, plain, TEXT("here"), &roomy);
    assert_non_null(sealed.at);
    assert_null(unseal(key, sealed, TEXT("here"), &small).at);
    plain.len = SIZE_MAX;
    assert_null(seal(key, plain, TEXT("here"), &roomy).at);
    arena_close(&small);
    arena_close(&roomy);
    seal_key_free(key);
    seal_key_free(NULL);
}

static void a_key_is_known_by_its_mark_which_tells_nothing_of_it(void **state) {
    struct seal_key *one = open_key(true);
    (void)state;
    assert_non_null(one);
    struct token_hash mark = seal_mark(one), again = seal_mark(one), mac = seal_mac(one, TEXT(""));
    assert_memory_equal(mark.bytes, again.bytes, sizeof mark.bytes);
    assert_memory_not_equal(mark.bytes, mac.bytes, sizeof mark.bytes);
    unsigned char key[32];
    int file = open(path, O_RDONLY);
    assert_true(file >= 0);
    assert_int_equal(read(file, key, sizeof key), sizeof key);
    assert_int_equal(close(file), 0);
    assert_memory_not_equal(mark.bytes, key, sizeof key);
    assert_int_equal(unlink(path), 0);
    struct seal_key *other = open_key(true);
    assert_non_null(other);
    struct token_hash others = seal_mark(other);
    assert_memory_not_equal(mark.bytes, others.bytes, sizeof mark.bytes);
    seal_key_free(one);
    seal_key_free(other);
}

static void a_body_is_recognised_under_one_key_alone(void **state) {
    struct seal_key *one = open_key(true);
    (void)state;
    assert_non_null(one);
    struct token_hash mac = seal_mac(one, TEXT("body")), again = seal_mac(one, TEXT("body"));
    struct token_hash other_body = seal_mac(one, TEXT("bodz"));
    assert_memory_equal(mac.bytes, again.bytes, sizeof mac.bytes);
    assert_memory_not_equal(mac.bytes, other_body.bytes, sizeof mac.bytes);
    assert_int_equal(unlink(path), 0);
    struct seal_key *other = open_key(true);
    assert_non_null(other);
    struct token_hash other_key = seal_mac(other, TEXT("body"));
    assert_memory_not_equal(mac.bytes, other_key.bytes, sizeof mac.bytes);
    seal_key_free(one);
    seal_key_free(other);
}

static void a_place_differs_by_table_id_and_field(void **state) {
    struct arena arena = { 0 };
    (void)state;
    const struct text places[] = {
        seal_place(&user_table, 7, USER_TwoFactorSecret, &arena),
        seal_place(&user_table, 8, USER_TwoFactorSecret, &arena),
        seal_place(&user_table, 77, USER_TwoFactorSecret, &arena),
        seal_place(&user_table, 7, USER_AccessToken, &arena),
        seal_place(&web_hook_table, 7, WEB_HOOK_SharedSecret, &arena),
        seal_place(&application_table, 7, APPLICATION_SecretKey, &arena),
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        for (size_t j = 0; j < i; j++)
            assert_false(text_equal(places[i], places[j]));
    assert_true(text_equal(places[0], TEXT("users:7:TwoFactorSecret")));
    arena_close(&arena);
}

static int start(void **state) {
    (void)state;
    return crypto_start() ? 0 : -1;
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_missing_key_is_made_once_and_for_its_owner_alone),
        IN_FOLDER(two_keys_differ),
        IN_FOLDER(a_missing_key_is_not_made_unasked),
        IN_FOLDER(a_key_that_others_can_read_is_refused),
        IN_FOLDER(a_key_of_wrong_size_is_refused_and_left_alone),
        IN_FOLDER(what_is_no_file_is_refused_without_waiting),
        IN_FOLDER(a_key_in_a_missing_folder_is_refused),
        IN_FOLDER(a_reason_fits_its_room),
        IN_FOLDER(a_key_beside_which_one_stands_in_the_working_folder),
        IN_FOLDER(many_processes_make_one_key),
        IN_FOLDER(what_was_sealed_opens_where_it_belongs),
        IN_FOLDER(sealing_twice_gives_two_texts),
        IN_FOLDER(what_was_changed_or_cut_does_not_open),
        IN_FOLDER(short_memory_gives_nothing),
        IN_FOLDER(a_key_is_known_by_its_mark_which_tells_nothing_of_it),
        IN_FOLDER(a_body_is_recognised_under_one_key_alone),
        cmocka_unit_test(a_place_differs_by_table_id_and_field),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
