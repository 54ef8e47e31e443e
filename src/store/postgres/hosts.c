/* Connects to the hosts of a URL. libpq alone tries them one after the other, and waits for a dead
 * one until it gives up on it, at each connection again. Here the host that was connected to last
 * comes first. If it fails, or does not answer at once, all others are tried beside it, and the
 * first of all that takes writes wins. A standby does not: libpq leaves it again.
 *
 * A URL of one host is libpq's alone, and so is one whose hosts are elsewhere, in a service file or
 * in the environment. */
#include "store/postgres/hosts.h"

#include "base/arena.h"
#include "base/time.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOSTS_MAX = 16,       /* the hosts of a URL with more are tried by libpq, in turn */
    HEAD_START_MS = 250,  /* of the host that was connected to last */
    CONNECTING_MS = 5000, /* longer than tcp_user_timeout: a name may have a dead address first */
    PARAMETERS_MAX = 16,
};

/* A host as the URL has it: a name, an address or both, and a port; NULL: libpq's default. */
struct host {
    const char *name, *address, *port;
};

struct pg_hosts {
    struct arena arena; /* of all texts */
    const char *url;
    struct host hosts[HOSTS_MAX];
    unsigned count;   /* 0: libpq's alone */
    atomic_uint last; /* the one that was connected to */
};

/* ---- The URL ---- */

static const char *option(const PQconninfoOption *options, const char *keyword) {
    for (; options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val;
    return NULL;
}

static unsigned count_items(const char *list) {
    unsigned count = list && *list ? 1 : 0;
    for (; count && *list; list++)
        count += *list == ',';
    return count;
}

/* For libpq an empty item is another default than a parameter that is empty. */
static bool has_empty(struct text list) {
    while (list.at)
        if (!text_cut(&list, ',').len)
            return true;
    return false;
}

static const char *next_item(struct text *list, struct arena *arena) {
    struct text item = text_cut(list, ',');
    return item.at ? arena_text(arena, item).at : NULL;
}

/* The next port, or the only one again. */
static const char *next_port(struct text *list, bool is_only, struct arena *arena) {
    struct text item = is_only ? *list : text_cut(list, ',');
    if (item.at && !item.len)
        return "5432"; /* as libpq reads an empty item */
    return item.at ? arena_text(arena, item).at : NULL;
}

static void take_hosts(struct pg_hosts *hosts, const PQconninfoOption *options) {
    struct text names = text_of(option(options, "host")),
                addresses = text_of(option(options, "hostaddr")),
                ports = text_of(option(options, "port"));
    const unsigned name_count = count_items(names.at), address_count = count_items(addresses.at),
                   port_count = count_items(ports.at);
    const unsigned count = address_count ? address_count : name_count;
    const bool fits = (!address_count || !name_count || address_count == name_count) &&
                      (port_count <= 1 || port_count == count);
    if (count < 2 || count > HOSTS_MAX || !fits || has_empty(names) || has_empty(addresses))
        return;
    for (unsigned i = 0; i < count; i++)
        hosts->hosts[i] = (struct host){
            .name = next_item(&names, &hosts->arena),
            .address = next_item(&addresses, &hosts->arena),
            .port = next_port(&ports, port_count == 1, &hosts->arena),
        };
    hosts->count = count;
}

struct pg_hosts *pg_hosts_new(const char *url) {
    struct pg_hosts *hosts = calloc(1, sizeof *hosts);
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    if (hosts && options) {
        hosts->url = arena_text(&hosts->arena, text_of(url)).at;
        take_hosts(hosts, options);
    }
    PQconninfoFree(options);
    if (hosts && hosts->url && !hosts->arena.failed)
        return hosts;
    pg_hosts_free(hosts);
    return NULL;
}

void pg_hosts_free(struct pg_hosts *hosts) {
    if (!hosts)
        return;
    arena_close(&hosts->arena);
    free(hosts);
}

/* ---- Parameters ---- */

struct parameters {
    const char *keys[PARAMETERS_MAX], *values[PARAMETERS_MAX];
    unsigned count;
};

static void add(struct parameters *parameters, const char *key, const char *value) {
    parameters->keys[parameters->count] = key;
    parameters->values[parameters->count++] = value;
}

/* The URL overrides the values before it, and the values after it override the URL. A dead host is
 * noticed within seconds. */
static struct parameters parameters_for(const char *url, const struct host *host) {
    struct parameters parameters = { .count = 0 };
    add(&parameters, "connect_timeout", "2");
    add(&parameters, "tcp_user_timeout", "3000");
    add(&parameters, "keepalives_idle", "1");
    add(&parameters, "keepalives_interval", "1");
    add(&parameters, "keepalives_count", "3");
    add(&parameters, "gssencmode", "disable");
    add(&parameters, "fallback_application_name", "rosterd");
    add(&parameters, "dbname", url);
    add(&parameters, "target_session_attrs", "read-write");
    add(&parameters, "client_encoding", "UTF8");
    if (host) {
        add(&parameters, "host", host->name);
        add(&parameters, "hostaddr", host->address);
        add(&parameters, "port", host->port);
    }
    return parameters;
}

/* ---- Trying several ---- */

struct attempt {
    PGconn *pg; /* NULL: not begun, or no memory */
    PostgresPollingStatusType state;
};

struct race {
    const struct pg_hosts *hosts;
    struct attempt attempts[HOSTS_MAX];
    bool has_all; /* every host is being tried, or was */
};

static bool is_trying(const struct attempt *attempt) {
    return attempt->pg &&
           (attempt->state == PGRES_POLLING_READING || attempt->state == PGRES_POLLING_WRITING);
}

static void begin(struct race *race, unsigned i) {
    struct attempt *attempt = &race->attempts[i];
    struct parameters parameters = parameters_for(race->hosts->url, &race->hosts->hosts[i]);
    attempt->pg = PQconnectStartParams(parameters.keys, parameters.values, 1);
    (void)PQsetErrorVerbosity(attempt->pg, PQERRORS_VERBOSE); /* with the SQLSTATE */
    /* libpq wants it polled as if it waited to write */
    attempt->state = attempt->pg && PQstatus(attempt->pg) != CONNECTION_BAD ? PGRES_POLLING_WRITING
                                                                            : PGRES_POLLING_FAILED;
}

static void begin_others(struct race *race, unsigned first) {
    for (unsigned i = 0; i < race->hosts->count; i++)
        if (i != first)
            begin(race, i);
    race->has_all = true;
}

/* Waits until one of them can go on, and lets those go on that can. False: none is being tried. */
static bool go_on(struct race *race, int timeout_ms) {
    struct pollfd sockets[HOSTS_MAX];
    struct attempt *tried[HOSTS_MAX];
    nfds_t count = 0;
    for (unsigned i = 0; i < race->hosts->count; i++) {
        struct attempt *attempt = &race->attempts[i];
        if (!is_trying(attempt))
            continue;
        tried[count] = attempt;
        sockets[count++] = (struct pollfd){
            .fd = PQsocket(attempt->pg),
            .events = attempt->state == PGRES_POLLING_READING ? POLLIN : POLLOUT,
        };
    }
    int ready = count ? poll(sockets, count, timeout_ms) : 0;
    for (nfds_t i = 0; ready > 0 && i < count; i++)
        if (sockets[i].revents)
            tried[i]->state = PQconnectPoll(tried[i]->pg);
    return count > 0;
}

/* The host that won; `count` if none did. */
static unsigned winner(const struct race *race) {
    unsigned i = 0;
    while (i < race->hosts->count &&
           !(race->attempts[i].pg && race->attempts[i].state == PGRES_POLLING_OK))
        i++;
    return i;
}

/* How long the host that was connected to last is tried alone. */
static int64_t head_start_ms(int64_t left_ms) {
    if (left_ms <= 0)
        return 0;
    return left_ms / 2 < HEAD_START_MS ? left_ms / 2 : HEAD_START_MS;
}

static unsigned run(struct race *race, unsigned first, int64_t deadline_ms) {
    const unsigned none = race->hosts->count;
    int64_t now_ms = time_monotonic_ms();
    const int64_t alone_until_ms = now_ms + head_start_ms(deadline_ms - now_ms);
    for (begin(race, first);; now_ms = time_monotonic_ms()) {
        const int64_t left_ms = (race->has_all ? deadline_ms : alone_until_ms) - now_ms;
        const bool goes_on = go_on(race, left_ms > 0 ? (int)left_ms : 0);
        const unsigned best = winner(race);
        if (best < none)
            return best;
        if (race->has_all && (!goes_on || left_ms <= 0))
            return none;
        if (!race->has_all && (left_ms <= 0 || !is_trying(&race->attempts[first])))
            begin_others(race, first);
    }
}

/* Says of each host why it did not win. */
static void explain(const struct race *race, char *why, size_t why_size) {
    size_t len = 0;
    *why = '\0';
    for (unsigned i = 0; i < race->hosts->count && len < why_size; i++) {
        const struct host *host = &race->hosts->hosts[i];
        const struct attempt *attempt = &race->attempts[i];
        const char *message = attempt->pg ? PQerrorMessage(attempt->pg) : "memory is short\n";
        int added = is_trying(attempt)
                        ? snprintf(why + len, why_size - len, "%s did not answer in time\n",
                                   host->name ? host->name : host->address)
                        : snprintf(why + len, why_size - len, "%s", message);
        len += added > 0 ? (size_t)added : 0;
    }
}

static PGconn *connect_to_any(struct pg_hosts *hosts, int64_t deadline_ms, char *why,
                              size_t why_size) {
    struct race race = { .hosts = hosts };
    PGconn *pg = NULL;
    unsigned best = run(&race, atomic_load(&hosts->last), deadline_ms);
    if (best < hosts->count) {
        pg = race.attempts[best].pg;
        race.attempts[best].pg = NULL;
        atomic_store(&hosts->last, best);
    } else {
        explain(&race, why, why_size);
    }
    for (unsigned i = 0; i < hosts->count; i++)
        PQfinish(race.attempts[i].pg);
    return pg;
}

static PGconn *connect_by_libpq(const struct pg_hosts *hosts, char *why, size_t why_size) {
    struct parameters parameters = parameters_for(hosts->url, NULL);
    PGconn *pg = PQconnectdbParams(parameters.keys, parameters.values, 1);
    /* A server refused (its errors have two spaces in any language): again, with the SQLSTATE. */
    if (pg && PQstatus(pg) != CONNECTION_OK && strstr(PQerrorMessage(pg), ":  ")) {
        (void)PQsetErrorVerbosity(pg, PQERRORS_VERBOSE);
        PQreset(pg);
    }
    if (pg && PQstatus(pg) == CONNECTION_OK)
        return pg;
    (void)snprintf(why, why_size, "%s", pg ? PQerrorMessage(pg) : "memory is short");
    PQfinish(pg);
    return NULL;
}

PGconn *pg_hosts_connect(struct pg_hosts *hosts, int64_t limit_ms, char *why, size_t why_size) {
    if (!hosts->count)
        return connect_by_libpq(hosts, why, why_size);
    const int64_t most_ms = limit_ms < CONNECTING_MS ? limit_ms : CONNECTING_MS;
    return connect_to_any(hosts, time_monotonic_ms() + most_ms, why, why_size);
}
