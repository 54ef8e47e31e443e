/* reference TEMPLATE: prints the template, with what the tables of settings and commands say in the
 * place of each line that is one of these words:
 *     @options@   flags of rosterd(8)            @entries@   settings of roster.conf(5)
 *     @lines@     a commented line for each      @bash@      words and arguments for bash
 *     @zsh@       arguments for zsh
 * and the version for @VERSION@ inside a line. The build runs it for the pages and completions, so
 * that none of them lacks a setting. It fails on a template for rosterd(8) that leaves out a
 * command. */
#include "version.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct setting {
    const char *option;
    const char *text; /* the default; NULL: it is the number */
    long number;
    const char *type, *argument, *help;
} settings[] = {
#define SETTING(member, type, option, initial, least, most, argument, help)                        \
    { option, _Generic((initial), char * : (initial), default : NULL),                                                 \
      _Generic((initial), char * : 0, default : (initial)), #type, argument, help },
#include "base/settings.def"
#undef SETTING
};

static const char *const commands[] = {
#define SUBCOMMAND(name, ...) #name,
#include "base/subcommands.def"
#undef SUBCOMMAND
};

static const struct command_option {
    const char *option, *argument, *help;
} command_options[] = {
#define COMMAND_OPTION(member, type, option, argument, commands, help) { option, argument, help },
#include "base/command_options.def"
#undef COMMAND_OPTION
};

enum {
    COMMAND_OPTIONS = sizeof command_options / sizeof command_options[0],
    SETTINGS = sizeof settings / sizeof settings[0],
    COMMANDS = sizeof commands / sizeof commands[0]
};

static bool is(const struct setting *row, const char *type) {
    return strcmp(row->type, type) == 0;
}

/* The default as a line of the file has it. */
static void print_initial(const struct setting *row) {
    if (is(row, "flag"))
        (void)printf("%s", row->number ? "yes" : "no");
    else if (is(row, "mode"))
        (void)printf("%04lo", row->number);
    else if (!row->text)
        (void)printf("%ld", row->number);
    else
        (void)printf("%s", row->text);
}

static bool has_initial(const struct setting *row) {
    return !row->text || *row->text;
}

/* For roff: a hyphen that is typed is \-, a backslash is \e. */
static void print_roff(const char *text) {
    for (; *text; text++) {
        if (*text == '\\')
            (void)printf("\\e");
        else if (*text == '-')
            (void)printf("\\-");
        else if (*text == '\'')
            (void)printf("\\(aq");
        else
            (void)putchar(*text);
    }
}

static void print_help(const struct setting *row) {
    print_roff(row->help);
    size_t len = strlen(row->help);
    (void)printf("%s", len && row->help[len - 1] == '.' ? "" : ".");
    if (has_initial(row)) {
        (void)printf(" Default: ");
        print_initial(row);
    }
    (void)printf("\n");
}

static void print_options(void) {
    for (size_t i = 0; i < SETTINGS; i++) {
        (void)printf(".TP\n.BR \\-\\-");
        print_roff(settings[i].option);
        if (is(&settings[i], "flag")) {
            (void)printf(" \", \" \\-\\-no\\-");
            print_roff(settings[i].option);
        } else {
            (void)printf(" \" \\fI");
            print_roff(settings[i].argument);
            (void)printf("\\fR\"");
        }
        (void)printf("\n");
        print_help(&settings[i]);
    }
}

static void print_entries(void) {
    for (size_t i = 0; i < SETTINGS; i++) {
        (void)printf(".TP\n.BR ");
        print_roff(settings[i].option);
        (void)printf(" \" = \\fI");
        print_roff(is(&settings[i], "flag") ? "yes|no" : settings[i].argument);
        (void)printf("\\fR\"\n");
        print_help(&settings[i]);
    }
}

/* The words of a help text in lines of a comment. */
static void print_comment(const char *text) {
    enum { WIDTH = 96 };
    size_t used = 0;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (used && used + 1 + word > WIDTH) {
            (void)printf("\n");
            used = 0;
        }
        (void)printf("%s%.*s", used ? " " : "# ", (int)word, text);
        used += 1 + word;
        text += word + strspn(text + word, " ");
    }
    (void)printf("\n");
}

static bool is_set[SETTINGS]; /* by a line of the template, which must not be repeated */

/* Notes a setting that the template has a line for. */
static void note_setting(const char *line) {
    for (size_t i = 0; i < SETTINGS; i++) {
        size_t len = strlen(settings[i].option);
        if (strncmp(line, settings[i].option, len) == 0 && strncmp(line + len, " = ", 3) == 0)
            is_set[i] = true;
    }
}

static void print_lines(void) {
    for (size_t i = 0; i < SETTINGS; i++) {
        if (is_set[i])
            continue;
        (void)printf("\n");
        print_comment(settings[i].help);
        (void)printf("#%s =%s", settings[i].option, has_initial(&settings[i]) ? " " : "");
        print_initial(&settings[i]);
        (void)printf("\n");
    }
}

/* A choice's words with `between` instead of the bars. */
static void print_choices(const struct setting *row, char between) {
    for (const char *c = row->argument; *c; c++)
        (void)putchar(*c == '|' ? between : *c);
}

static bool names(const struct setting *row, const char *what) {
    return row->argument && strncmp(row->argument, what, strlen(what)) == 0;
}

static void print_bash(void) {
    (void)printf("    local commands='");
    for (size_t i = 0; i < COMMANDS; i++)
        (void)printf("%s%s", i ? " " : "", commands[i]);
    (void)printf("'\n    local options='--help --version --config");
    for (size_t i = 0; i < SETTINGS; i++) {
        (void)printf("\n        --%s", settings[i].option);
        if (is(&settings[i], "flag"))
            (void)printf(" --no-%s", settings[i].option);
    }
    for (size_t i = 0; i < COMMAND_OPTIONS; i++)
        (void)printf("\n        --%s", command_options[i].option);
    (void)printf("'\n    case $before in\n");
    (void)printf("        --config) _rosterd_reply file; return ;;\n");
    for (size_t i = 0; i < SETTINGS; i++) {
        if (is(&settings[i], "flag"))
            continue;
        (void)printf("        --%s) ", settings[i].option);
        if (is(&settings[i], "choice")) {
            (void)printf("_rosterd_reply word '");
            print_choices(&settings[i], ' ');
            (void)printf("'; return ;;\n");
        } else {
            (void)printf("%sreturn ;;\n", names(&settings[i], "DIR") ? "_rosterd_reply directory; "
                                          : names(&settings[i], "FILE") ? "_rosterd_reply file; "
                                                                        : "");
        }
    }
    (void)printf("    esac\n");
}

/* In a specification of _arguments, `[`, `]` and `:` have a meaning, and the shell reads the
 * quotes. */
static void print_zsh_text(const char *text) {
    for (; *text; text++) {
        if (strchr("[]:\\", *text))
            (void)printf("\\%c", *text);
        else if (*text == '\'')
            (void)printf("'\\''");
        else
            (void)putchar(*text);
    }
}

static void print_zsh_option(const struct setting *row) {
    (void)printf("        '--%s%s[", row->option, is(row, "flag") ? "" : "=");
    print_zsh_text(row->help);
    (void)printf("]");
    if (is(row, "choice")) {
        (void)printf(":%s:(", row->option);
        print_choices(row, ' ');
        (void)printf(")");
    } else if (!is(row, "flag")) {
        (void)printf(":");
        print_zsh_text(row->argument);
        (void)printf(":%s", names(row, "DIR") ? "_files -/" : names(row, "FILE") ? "_files" : " ");
    }
    (void)printf("' \\\n");
    if (is(row, "flag"))
        (void)printf("        '--no-%s[the opposite of --%s]' \\\n", row->option, row->option);
}

static void print_zsh(void) {
    for (size_t i = 0; i < SETTINGS; i++)
        print_zsh_option(&settings[i]);
    for (size_t i = 0; i < COMMAND_OPTIONS; i++) {
        const struct command_option *row = &command_options[i];
        (void)printf("        '--%s%s[", row->option, row->argument ? "=" : "");
        print_zsh_text(row->help);
        (void)printf("]%s%s%s' \\\n", row->argument ? ":" : "", row->argument ? row->argument : "",
                     row->argument ? ": " : "");
    }
    (void)printf("        '1:command:(");
    for (size_t i = 0; i < COMMANDS; i++)
        (void)printf("%s%s", i ? " " : "", commands[i]);
    (void)printf(")' \\\n");
}

static const struct part {
    const char *line;
    void (*print)(void);
} parts[] = { { "@options@\n", print_options },
              { "@entries@\n", print_entries },
              { "@lines@\n", print_lines },
              { "@bash@\n", print_bash },
              { "@zsh@\n", print_zsh } };

static void print_line(const char *line) {
    static const char version[] = "@VERSION@";
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(line, parts[i].line) == 0) {
            parts[i].print();
            return;
        }
    }
    const char *at = strstr(line, version);
    if (at)
        (void)printf("%.*s%s%s", (int)(at - line), line, ROSTER_VERSION, at + sizeof version - 1);
    else
        (void)printf("%s", line);
}

/* A command has its paragraph in rosterd(8), of which the first line is `.B NAME` or begins with
 * `.BI "NAME "`. */
static void note_commands(const char *line, bool is_named[COMMANDS]) {
    size_t start = strncmp(line, ".B ", 3) == 0 ? 3 : strncmp(line, ".BI \"", 5) == 0 ? 5 : 0;
    for (size_t i = 0; start && i < COMMANDS; i++)
        if (strncmp(line + start, commands[i], strlen(commands[i])) == 0 &&
            strchr(" \n", line[start + strlen(commands[i])]))
            is_named[i] = true;
}

int main(int argc, char **argv) {
    char line[4096];
    bool is_named[COMMANDS] = { false }, has_options = false;
    FILE *template = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!template) {
        (void)fprintf(stderr, "usage: reference TEMPLATE (%s)\n", strerror(errno));
        return 64;
    }
    while (fgets(line, sizeof line, template)) {
        note_commands(line, is_named);
        note_setting(line);
        has_options = has_options || strcmp(line, "@options@\n") == 0;
        print_line(line);
    }
    int failed = ferror(template) || fclose(template) != 0 || fflush(stdout) != 0;
    for (size_t i = 0; has_options && i < COMMANDS; i++) {
        if (is_named[i])
            continue;
        (void)fprintf(stderr, "%s: has no paragraph for the command %s\n", argv[1], commands[i]);
        failed = 1;
    }
    return failed;
}
