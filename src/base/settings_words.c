/* Finds what is wrong with the names of the options on the command line.
 *
 * argp leaves this to getopt, which stops at the first mistake, prints the whole word, although a
 * secret may stand in it (--admin-passwrd=...), and knows no nearest name. So argp gets only the
 * words that getopt takes. */
#include "base/settings_words.h"

#include <string.h>
#include <sysexits.h>

struct words {
    struct settings_reading *reading;
    const struct argp_option *options;
    int argc, at;
    char **argv;
};

/* argp's own. After one of these nothing else matters. */
static const char *const last[] = { "--help", "--usage", "--version", "-?", "-V", "--" };

enum { OWN_NAMES = 3 }; /* of them begin with -- */

static bool is_last(const char *word) {
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++)
        if (strcmp(word, last[i]) == 0)
            return true;
    return false;
}

static bool begins_with(const char *option, struct text name) {
    return strncmp(option, name.at, name.len) == 0;
}

/* How many options a name means: one if it is the name or the beginning of a single name. `*found`
 * is the last of them; NULL: none but argp's own. */
static unsigned find_options(const struct argp_option *options, struct text name,
                             const struct argp_option **found) {
    unsigned count = 0;
    for (size_t i = 0; i < OWN_NAMES; i++)
        count += begins_with(last[i] + 2, name);
    for (const struct argp_option *option = options; option->name || option->doc; option++) {
        if (!option->name || !begins_with(option->name, name))
            continue;
        *found = option;
        count++;
        if (strlen(option->name) == name.len)
            return 1;
    }
    return count;
}

static const char *nearest(const struct argp_option *options, struct text name) {
    const char *found = "help";
    unsigned fewest = setting_edits(name, text_of(found));
    for (const struct argp_option *option = options; option->name || option->doc; option++) {
        if (!option->name || option->flags & OPTION_HIDDEN)
            continue;
        unsigned needed = setting_edits(name, text_of(option->name));
        if (needed < fewest)
            found = option->name;
        fewest = needed < fewest ? needed : fewest;
    }
    return found;
}

/* Always false. The option is named without its value. */
static bool refuse(const struct words *words, struct text name, const char *why,
                   const char *option) {
    char source[SETTING_NAME_MAX + 8], message[SETTING_SOURCE_MAX];
    int shown = name.len < SETTING_NAME_MAX ? (int)name.len : SETTING_NAME_MAX;
    (void)snprintf(source, sizeof source, "--%.*s", shown, name.at);
    (void)snprintf(message, sizeof message, "%s%s", why, option);
    (void)settings_report(words->reading, EX_USAGE, source, message);
    return false;
}

/* An unknown option probably has its value in the next word, unless it is in its own. */
static void skip_value(struct words *words, struct text value) {
    if (!value.len && words->at + 1 < words->argc && words->argv[words->at + 1][0] != '-')
        words->at++;
}

/* The opposite of a flag follows it. */
static bool refuse_value(const struct words *words, struct text name,
                         const struct argp_option *option) {
    const char *next = option[1].name;
    bool has_opposite = next && strncmp(next, "no-", 3) == 0 && strcmp(next + 3, option->name) == 0;
    return refuse(words, name,
                  has_opposite ? "takes no value; the opposite is --" : "takes no value",
                  has_opposite ? next : "");
}

/* True if getopt takes the option. `words->at` then is at its last word. */
static bool take_option(struct words *words) {
    const struct argp_option *option = NULL;
    struct text value = text_of(words->argv[words->at] + 2), name = text_cut(&value, '=');
    unsigned count = find_options(words->options, name, &option);
    if (count == 0) {
        skip_value(words, value);
        return refuse(words, name, "is no option; the nearest is --",
                      nearest(words->options, name));
    }
    if (count > 1) {
        skip_value(words, value);
        return refuse(words, name, "is short for several options, such as --",
                      option ? option->name : "help");
    }
    if (option && !option->arg && value.at)
        return refuse_value(words, name, option);
    if (option && option->arg && !value.at && ++words->at == words->argc)
        return refuse(words, name, "needs a value: ", option->arg);
    return true;
}

/* argp's own short options are the last ones. */
static bool take_short(struct words *words) {
    const char *word = words->argv[words->at];
    const char letter[] = { '-', word[1], '\0' };
    skip_value(words, text_of(word + 2));
    (void)settings_report(words->reading, EX_USAGE, letter,
                          "is no option; options begin with --, and rosterd --help lists them");
    return false;
}

static bool take_word(struct words *words) {
    const char *word = words->argv[words->at];
    if (word[0] != '-' || word[1] == '\0') /* a lone - is a word */
        return true;
    return word[1] == '-' ? take_option(words) : take_short(words);
}

int settings_check_words(struct settings_reading *reading, const struct argp_option *options,
                         int argc, char **argv, char **good) {
    struct words words = { reading, options, argc, 1, argv };
    int count = argc > 0; /* the name of the program */
    good[0] = argv[0];
    for (; words.at < argc && !is_last(argv[words.at]); words.at++) {
        const int first = words.at;
        if (!take_word(&words))
            continue;
        for (int i = first; i <= words.at; i++)
            good[count++] = argv[i];
    }
    for (; words.at < argc; words.at++)
        good[count++] = argv[words.at];
    good[count] = NULL;
    return count;
}
