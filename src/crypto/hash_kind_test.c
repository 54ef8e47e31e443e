/* Which hashes can be imported and which are refused. The examples were published by the makers of
 * each kind, or of programs that read it. None of them may be taken for a password. */
#include "crypto/hash_kind.h"

#include "crypto/password.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *hash;
    const char *kind;
    enum password_form form;
} examples[] = {
    /* imported */
    { "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
      "argon2id", PASSWORD_HASH },
    { "$2a$05$LhayLxezLhK1LhWvKxCyLOj0j1u.Kj0jZ0pEmm134uzrQlFvQJLF6", "bcrypt", PASSWORD_HASH },
    { "$2y$12$WApznUPhDubN0oeveSXHp.Mk3rd1wbHpYj2FBmFZ9LyRpcH1FL6Na", "bcrypt", PASSWORD_HASH },
    { "$6$52450745$"
      "k5ka2p8bFuSmoVT1tzOyyuaREkkKBcCNqoDKzYiJL9RaE8yMnPgh2XzzF0NDrUhgrcLwg78xs1w5pJiyp"
      "EdFX/",
      "SHA-512 crypt", PASSWORD_HASH },
    { "$5$rounds=5000$GX7BopJZJxPc/KEK$le16UF8I2Anb.rOrn22AUPWvzUETDGefUmAV8AZkGcD",
      "SHA-256 crypt", PASSWORD_HASH },
    { "$y$j9T$/0/$X5ln/ZKO.J6FSMdt69KtyBONb2zEM0LbnWaEu5GziRB", "yescrypt", PASSWORD_HASH },
    /* of these kinds, but malformed or too expensive */
    { "$2b$05$LhayLxezLhK1LhWvKxCyLOj0j1u.Kj0jZ0pEmm134uzrQlFvQJLF", "bcrypt",
      PASSWORD_HASH_DAMAGED },
    { "$argon2id$v=19$m=65536,t=2$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
      "argon2id", PASSWORD_HASH_DAMAGED },
    { "$2a$31$LhayLxezLhK1LhWvKxCyLOj0j1u.Kj0jZ0pEmm134uzrQlFvQJLF6", "bcrypt",
      PASSWORD_HASH_TOO_DEAR },
    /* other kinds of crypt(3) and PHC */
    { "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
      "argon2i", PASSWORD_HASH_FOREIGN },
    { "$argon2d$v=19$m=65536,t=3,p=1$c29tZXNhbHQ$2+JCoQtY/2x5F0VB9pEVP3xBNguWP1T25Ui0PtZuk8o",
      "argon2d", PASSWORD_HASH_FOREIGN },
    { "$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", "bcrypt with the fault of 2x",
      PASSWORD_HASH_FOREIGN },
    { "$1$28772684$iEwNOgGugqO9.bIz5sk8k/", "MD5 crypt", PASSWORD_HASH_FOREIGN },
    { "$apr1$71850310$gh9m4xcAn3MGxogwX/ztb.", "MD5 crypt of Apache", PASSWORD_HASH_FOREIGN },
    { "$md5,rounds=904$iPPKEBnEkp3JV8uX$0L6m7rOFTVFn.SGqo2M9W1", "MD5 crypt of Solaris",
      PASSWORD_HASH_FOREIGN },
    { "$sha1$20000$75552156$HhYMDdaEHiK3eMIzTldOFPnw.s2Q", "SHA-1 crypt", PASSWORD_HASH_FOREIGN },
    { "$3$$8846f7eaee8fb117ad06bdd830b7586c", "NT hash", PASSWORD_HASH_FOREIGN },
    { "$NT$b4b9b02e6f09a9bd760f388b67351e2b", "NT hash", PASSWORD_HASH_FOREIGN },
    { "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D", "scrypt",
      PASSWORD_HASH_FOREIGN },
    { "$gy$j9T$XgAs7mUhfu4qHD/i8tUcW/$S5PSAtzUvOkBRU1dXcuG5mxYkFpiNLsQ1cIQmK8T2X/", "gost-yescrypt",
      PASSWORD_HASH_FOREIGN },
    { "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
      "scrypt", PASSWORD_HASH_FOREIGN },
    { "$s0$e0801$epIxT/h6HbbwHaehFnh/bw==$7H0vsXlY8UxxyW/BWx/9GuY7jEvGjT71GFd6O4SZND0=", "scrypt",
      PASSWORD_HASH_FOREIGN },
    { "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2",
      "bcrypt over SHA-256", PASSWORD_HASH_FOREIGN },
    { "$pbkdf2-sha256$6400$0ZrzXitFSGltTQnBWOsdAw$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M",
      "PBKDF2", PASSWORD_HASH_FOREIGN },
    { "$P$984478476IagS59wHZvyQMArzfx58u.", "phpass", PASSWORD_HASH_FOREIGN },
    { "$H$984478476IagS59wHZvyQMArzfx58u.", "phpass", PASSWORD_HASH_FOREIGN },
    { "$S$C33783772bRXEx1aCsvY.dqgaaSu76XmVlKrW9Qu8IQlvxHlmzLf", "SHA-512 as Drupal writes it",
      PASSWORD_HASH_FOREIGN },
    { "$wp$2y$10$6GCyLm4IlqPYBQ2eoKxQEe0gEBaSBgGpnEGJdyL9KcJKTTfFNu7Oi",
      "bcrypt as WordPress writes it", PASSWORD_HASH_FOREIGN },
    { "$8$TnGX/fE4KGHOVU$pEhnEvxrvaynpi8j4f.EMHr6M.FzU8xnZnBr/tJdFWk", "PBKDF2 as Cisco writes it",
      PASSWORD_HASH_FOREIGN },
    { "$9$2MJBozw/9R3UsU$2lFhcKvpghcyw8deP25GOfyZaagyUOGBymkryvOdfo6", "scrypt as Cisco writes it",
      PASSWORD_HASH_FOREIGN },
    { "$ml$35460$93a94bd24b5de64d79a5e49fa372827e739f4d7b6975c752c9a0ff1e5cf72e05$"
      "752351df64dd2ce9dc9c6"
      "4a72ad91de6581a15c19176266b44d98919dfa81f0f96cbcb20a1ffb400718c20382030f637892f776627d34e021"
      "bad4f"
      "81b7de8222",
      "PBKDF2 as macOS writes it", PASSWORD_HASH_FOREIGN },
    { "$A$005$F9CC98CE08892924F50A213B6BC571A2C11778C5$"
      "625479393559393965414D45316477456B484F41316E64"
      "484742577A2E3162785353526B7554584647562F",
      "SHA-256 crypt as MySQL writes it", PASSWORD_HASH_FOREIGN },
    { "$B$56668501$0ce106caa70af57fd525aeaf80ef2898", "MD5 as MediaWiki writes it",
      PASSWORD_HASH_FOREIGN },
    { "$SHA$7218532375810603$bfede293ecf6539211a7305ea218b9f3f608953130405cda9eaba6fb6250f824",
      "SHA-256 as AuthMe writes it", PASSWORD_HASH_FOREIGN },
    { "$episerver$*0*bEtiVGhPNlZpcUN4a3ExTg==*utkfN0EOgljbv5FoZ6+AcZD5iLk", "$id$...",
      PASSWORD_HASH_FOREIGN },
    { "$bitcoin$96$d011a1b6a8d675b7a36d0cd2efaca32a9f8dc1d57d6d01a58399ea04e703e8bb", "$id$...",
      PASSWORD_HASH_FOREIGN },
    /* directories */
    { "{SSHA}AZKja92fbuuB9SpRlHqaoXxbTc43Mzc2MDM1Ng==", "LDAP's {SSHA}", PASSWORD_HASH_FOREIGN },
    { "{SHA}uJ6qx+YUFzQbcQtyd2gpTQ5qJ3s=", "LDAP's {SHA}", PASSWORD_HASH_FOREIGN },
    { "{SMD5}jNoSMNY0cybfuBWiaGlFw3Mfi/U=", "LDAP's {SMD5}", PASSWORD_HASH_FOREIGN },
    { "{SSHA512}ALtwKGBdRgD+U0fPAy31C28RyKYx7+"
      "a8kmfksccsOeLknLHv2DBXYI7TDnTolQMBuPkWDISgZr2cHfnNPFjG"
      "ZTEyNDU4OTkw",
      "LDAP's {SSHA512}", PASSWORD_HASH_FOREIGN },
    { "{CRYPT}$6$52450745$"
      "k5ka2p8bFuSmoVT1tzOyyuaREkkKBcCNqoDKzYiJL9RaE8yMnPgh2XzzF0NDrUhgrcLwg78xs1w"
      "5pJiypEdFX/",
      "LDAP's {CRYPT}", PASSWORD_HASH_FOREIGN },
    { "{bcrypt}$2a$10$dXJ3SW6G7P50lGmMkkmwe.20cQQubK3.HZWzG3YB1tlRy.fqvM/BG", "Spring's {bcrypt}",
      PASSWORD_HASH_FOREIGN },
    { "{noop}password", "Spring's {noop}", PASSWORD_HASH_FOREIGN },
    { "{pbkdf2@SpringSecurity_v5_8}"
      "5d923b44a6d129f3ddf3e3c8d29412723dcbde72445e8ef6bf3b508fbf17fa4e",
      "{PBKDF2}", PASSWORD_HASH_FOREIGN },
    { "{PKCS5S2}NxCDfQ+KuyyzJcMT/fQvpG4Z9kuAbFBUV9CUhYQwj2VzD9SxyAqgM5jZHAUFzSpI",
      "PBKDF2 {PKCS5S2}", PASSWORD_HASH_FOREIGN },
    { "{x-issha, 1024}C0624EvGSdAMCtuWnBBYBGA0chvqAflKY74oEpw/rpY=", "SAP's {x-issha}",
      PASSWORD_HASH_FOREIGN },
    { "{smd5}a5/yTL/u$VfvgyHx1xUlXZYBocQpQY0", "LDAP's {SMD5}", PASSWORD_HASH_FOREIGN },
    /* frameworks */
    { "pbkdf2_sha256$20000$H0dPx8NeajVu$GiC4k5kqbbR9qWBlsRgDywNqC2vd9kqfk7zdorEnNas=", "PBKDF2",
      PASSWORD_HASH_FOREIGN },
    { "pbkdf2:sha256:260000$Zh2kDqPa$"
      "3b1f5c9a0c5e7b1a2d3f4e5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8",
      "PBKDF2", PASSWORD_HASH_FOREIGN },
    { "pbkdf2(1000,20,sha512)$744943c1fde8b6d1$70e44a3e8b0a5d6a3f4e5b6c7d8e9fa0b1c2d3e4", "PBKDF2",
      PASSWORD_HASH_FOREIGN },
    { "bcrypt_sha256$$2b$12$LxB0uAZ4QDUMoQJLJhx2cO5JEhXDRrRNWdAJ3JSGgqVT1CkSwNZz2",
      "bcrypt as a framework writes it", PASSWORD_HASH_FOREIGN },
    { "argon2$argon2id$v=19$m=102400,t=2,p=8$c29tZXNhbHQ$"
      "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
      "argon2 as a framework writes it", PASSWORD_HASH_FOREIGN },
    { "scrypt$16384$dUDFbBx5mYxG$8$1$zVnsTvl0cXb8J2BmbXKJVb5nTGqRrCqCxBSfVHJcJgM=", "scrypt",
      PASSWORD_HASH_FOREIGN },
    { "scrypt:32768:8:1$ZqaC4mJYvC1s$9c2b5b0a", "scrypt", PASSWORD_HASH_FOREIGN },
    { "SCRYPT:1024:1:1:MDIwMzMwNTQwNDQyNQ==:5FW+zWivLxgCWj7qLiQbeC8zaNQ+qdO0NUinvqyFcfo=", "scrypt",
      PASSWORD_HASH_FOREIGN },
    { "sha1$fe76b$02d5916550edf7fc8c886f044887f4b1abf9b013", "salted SHA-1",
      PASSWORD_HASH_FOREIGN },
    { "md5$$b8e7b465df7c5979dc731d6e80ce12cf", "salted MD5", PASSWORD_HASH_FOREIGN },
    { "crypt$$QZtDDnLFzRiNo", "crypt as a framework writes it", PASSWORD_HASH_FOREIGN },
    { "sha256:20000:MTIzNDU2:kxhEVdhQj3qPWGgBEBfiCl9PPdYbzEFdUmKkqgwGPQA=", "salted SHA-2",
      PASSWORD_HASH_FOREIGN },
    { "SCRAM-SHA-256$4096:IKfxzJ8Nq4PkLJCfgKcPmA==$iRw3qwTp18uaBnsTOEExbtgWdKeBMbSSnZvqD4sdqLQ=:"
      "hPcic"
      "C1snVIYLQ1I0TF6UMCWVYqOpkJ4wEFFE4f3Jig=",
      "SCRAM", PASSWORD_HASH_FOREIGN },
    { "U$P$984478476IagS59wHZvyQMArzfx58u.", "hash that Drupal hashed again",
      PASSWORD_HASH_FOREIGN },
    { "400$8$36$78f4ae6983f76119$37ec6ce55a2b928dc56ff9a7d0cdafbd7dbde49d9282c38a40b1434e88f24cf5",
      "name$...$...", PASSWORD_HASH_FOREIGN },
    { "AQAAAAEAACcQAAAAEFULiJr2MIxW3YUfDNjPnsHlHJKEeBSbMMZsGkUBO3b8iA+9pMQ8Ln5o0JOV9W5zHA==",
      "PBKDF2 as ASP.NET Identity writes it", PASSWORD_HASH_FOREIGN },
    { "!a1b2C3d4E5f6G7h8I9j0KaLbMcNdOePfQgRhSiT", NULL, PASSWORD_PLAIN }, /* one letter short */
    { "!a1b2C3d4E5f6G7h8I9j0KaLbMcNdOePfQgRhSiTj", "unusable password of Django",
      PASSWORD_HASH_FOREIGN },
    /* digests and databases */
    { "8743b52063cd84097a65d1633f5c74f5", "MD5 or NT hash", PASSWORD_HASH_FOREIGN },
    { "B4B9B02E6F09A9BD760F388B67351E2B", "MD5 or NT hash", PASSWORD_HASH_FOREIGN },
    { "b89eaac7e61417341b710b727768294d0e6a277b", "SHA-1", PASSWORD_HASH_FOREIGN },
    { "127e6fbfe24a750e72930c220a8e138275656b8e5d8f48a98c3c92df2caba935", "SHA-256",
      PASSWORD_HASH_FOREIGN },
    { "82a9dda829eb7f8ffe9fbe49e45d47d2dad9664fbb7adf72492e3c81ebd3e29134d9bc12212bf83c6840f10e8246"
      "b9"
      "db54a4859b7ccd0123d86e5872c1e5082f",
      "SHA-512", PASSWORD_HASH_FOREIGN },
    { "01dfae6e5d4d90d9892622325959afbe:7050461", "digest in hex with its salt",
      PASSWORD_HASH_FOREIGN },
    { "admin::N46iSNekpT:08ca45b7d7ea58ee:88dcbe4446168966a153a0064958dac6:"
      "5c7830315c7830310000000000"
      "000b45c67103d07d7b95acd12ffa11230e0000000052920b85f78d013c31cdb3b92f5d765c783030",
      "digest in hex with its salt", PASSWORD_HASH_FOREIGN },
    { "*FCF7C1B8749CF99D88E5F34271D636178FB5D130", "SHA-1 as MySQL writes it",
      PASSWORD_HASH_FOREIGN },
    { "md5a6343a68d964ca596d9752250d54bb8a", "MD5 as PostgreSQL writes it", PASSWORD_HASH_FOREIGN },
    { "0x02000102030434ea1b17802fd95ea6316bd61d2c94622ca3812793e8fb1672487b5c904a45a31b2ab4a78890d5"
      "63"
      "d2fcf5663e46fe797d71550494be50cf4915d3f4d55ec375",
      "SHA as SQL Server writes it", PASSWORD_HASH_FOREIGN },
    { "0x8743b52063cd84097a65d1633f5c74f5", "digest in hex as a database writes it",
      PASSWORD_HASH_FOREIGN },
    { "\\xb89eaac7e61417341b710b727768294d0e6a277b", "digest in hex as a database writes it",
      PASSWORD_HASH_FOREIGN },
    { "_J9..rasmBYk8r9AiWNc", "extended DES crypt", PASSWORD_HASH_FOREIGN },
    /* hashes inside something else */
    { "1|$2y$12$WApznUPhDubN0oeveSXHp.Mk3rd1wbHpYj2FBmFZ9LyRpcH1FL6Na",
      "hash with something around it", PASSWORD_HASH_FOREIGN },
    { "b'$2b$12$WApznUPhDubN0oeveSXHp.Mk3rd1wbHpYj2FBmFZ9LyRpcH1FL6Na'",
      "hash with something around it", PASSWORD_HASH_FOREIGN },
    { "\"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc\"",
      "hash with something around it", PASSWORD_HASH_FOREIGN },
    { "\\$2y\\$12\\$WApznUPhDubN0oeveSXHp.Mk3rd1wbHpYj2FBmFZ9LyRpcH1FL6Na",
      "hash with something around it", PASSWORD_HASH_FOREIGN },
    { "$$2y$$12$$WApznUPhDubN0oeveSXHp.Mk3rd1wbHpYj2FBmFZ9LyRpcH1FL6Na",
      "hash with something around it", PASSWORD_HASH_FOREIGN },
    { "\xEF\xBB\xBF$5$rounds=5000$GX7BopJZJxPc/KEK$le16UF8I2Anb.rOrn22AUPWvzUETDGefUmAV8AZkGcD",
      "hash with something around it", PASSWORD_HASH_FOREIGN },
    { "{\"hash\":\"$2y$12$WApznUPhDubN0oeveSXHp.Mk3rd1wbHpYj2FBmFZ9LyRpcH1FL6Na\"}",
      "hash with something around it", PASSWORD_HASH_FOREIGN },
    { "password $P$984478476IagS59wHZvyQMArzfx58u.", "hash with something around it",
      PASSWORD_HASH_FOREIGN },
    /* lines of files */
    { "!$6$52450745$"
      "k5ka2p8bFuSmoVT1tzOyyuaREkkKBcCNqoDKzYiJL9RaE8yMnPgh2XzzF0NDrUhgrcLwg78xs1w5pJiyp"
      "EdFX/",
      "locked entry of a shadow file", PASSWORD_HASH_FOREIGN },
    { "!!$1$28772684$iEwNOgGugqO9.bIz5sk8k/", "locked entry of a shadow file",
      PASSWORD_HASH_FOREIGN },
    { "*LK*$5$rounds=5000$GX7BopJZJxPc/KEK$le16UF8I2Anb.rOrn22AUPWvzUETDGefUmAV8AZkGcD",
      "locked entry of a shadow file", PASSWORD_HASH_FOREIGN },
    { "ada:$y$j9T$/0/$X5ln/ZKO.J6FSMdt69KtyBONb2zEM0LbnWaEu5GziRB:19000:0:99999:7:::",
      "line of a password file", PASSWORD_HASH_FOREIGN },
    { "ada:$apr1$71850310$gh9m4xcAn3MGxogwX/ztb.", "line of a password file",
      PASSWORD_HASH_FOREIGN },
    { "ada:{SSHA}AZKja92fbuuB9SpRlHqaoXxbTc43Mzc2MDM1Ng==", "line of a password file",
      PASSWORD_HASH_FOREIGN },
};

/* A copy in memory of exactly its size, so that the address sanitizer reports each read past it. */
static const char *kind_of(struct text text) {
    char *copy = malloc(text.len ? text.len : 1);
    assert_non_null(copy);
    if (text.len)
        memcpy(copy, text.at, text.len);
    const char *kind = hash_kind((struct text){ copy, text.len });
    free(copy);
    return kind;
}

static void a_published_hash_of_any_kind_is_imported_or_refused_by_its_name(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(examples); i++) {
        struct text hash = text_of(examples[i].hash);
        const char *kind = kind_of(hash);
        if (!kind != !examples[i].kind || (kind && strcmp(kind, examples[i].kind) != 0))
            fail_msg("%s is called %s", examples[i].hash, kind ? kind : "a password");
        if (password_form(hash) != examples[i].form)
            fail_msg("%s is of form %d", examples[i].hash, (int)password_form(hash));
    }
}

static void a_hash_with_white_space_around_it_is_still_one(void **state) {
    (void)state;
    char text[1024] = " \t";
    for (size_t i = 0; i < LENGTH(examples); i++) {
        size_t len = strlen(examples[i].hash);
        memcpy(text + 2, examples[i].hash, len);
        memcpy(text + 2 + len, "\r\n", 2);
        assert_true(!kind_of((struct text){ text, len + 4 }) == !examples[i].kind);
    }
}

/* People write `$`, `:`, `{` and `!` into passwords too. */
static void what_people_think_up_is_a_password(void **state) {
    (void)state;
    static const char *const passwords[] = {
        "",
        "$",
        "$$$$$$$$$$",
        "$100 for nothing",
        "$ecret",
        "a$ap rocky $$$",
        "my$big$secret",
        "pa$$word-Tiger-$Kite$99",
        "the $5$ that a horse called Staple99 owes",
        "it's 'quoted$100$99 or so'",
        "_underscored_names_9",
        "\\x61",
        "pay:day:friday",
        "{curly braces",
        "{}{}{}{}{}",
        "{x}",
        "!important!",
        "!!!!!!!!!!",
        "*starlight*",
        "sha1 is dead, long live sha3",
        "md5sum of nothing",
        "correct horse battery staple",
        "correct-horse-battery-staple",
        "user:password",
        "note: buy milk: twice",
        "12:30:45:99",
        "01234567-89ab-cdef-0123-456789abcdef",
        "0123456789abcdef",
        "cafebabecafebabe",
        "crypt keeper",
        "scrypted",
        "0xdeadbeef",
        "QZtDDnLFzRiNo", /* DES crypt looks like a password */
        "AQAAAAE=",
    };
    for (size_t i = 0; i < LENGTH(passwords); i++) {
        const char *kind = kind_of(text_of(passwords[i]));
        if (kind)
            fail_msg("%s is called %s", passwords[i], kind);
    }
}

static void every_beginning_of_a_hash_can_be_looked_at(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH(examples); i++)
        for (size_t len = 0; len <= strlen(examples[i].hash); len++) {
            struct text start = { examples[i].hash, len };
            const char *kind = kind_of(start);
            assert_true(!kind || *kind);
            assert_true(password_form(start) != PASSWORD_PLAIN || !kind);
        }
    assert_null(kind_of(TEXT("$6$\0$6$")));
}

static void a_megabyte_is_looked_at_once(void **state) {
    (void)state;
    enum { SIZE = 1 << 20 };
    static const char *const ends[] = { "$", "{", "!", ":", "a", "$a", "a:", "*" };
    char *text = malloc(SIZE);
    assert_non_null(text);
    for (size_t i = 0; i < LENGTH(ends); i++) {
        size_t len = strlen(ends[i]);
        for (size_t at = 0; at + len <= SIZE; at += len)
            memcpy(text + at, ends[i], len);
        const char *kind = hash_kind((struct text){ text, SIZE });
        assert_true(!kind || *kind);
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_published_hash_of_any_kind_is_imported_or_refused_by_its_name),
        cmocka_unit_test(a_hash_with_white_space_around_it_is_still_one),
        cmocka_unit_test(what_people_think_up_is_a_password),
        cmocka_unit_test(every_beginning_of_a_hash_can_be_looked_at),
        cmocka_unit_test(a_megabyte_is_looked_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
