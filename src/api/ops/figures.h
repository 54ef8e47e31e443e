#ifndef ROSTER_API_FIGURES_H
#define ROSTER_API_FIGURES_H

#include "api/app.h"
#include "api/counters.h"
#include "base/budget.h"
#include "base/process.h"
#include "store/store.h"

/** The figures that GET /metrics and the history of a day (history.h) are computed from. */
struct figures {
    struct app *app;
    struct store_stats store;
    struct password_stats passwords;
    struct budget_stats budget;
    struct process_stats process;
    double disk_free, last_backup_s; /* -1: not known */
    int64_t pending;                 /* deliveries */
};

/** Reads them all, but for `pending`, which takes the database. Any thread, now and then. */
struct figures figures_now(struct app *app, int64_t pending);

/** Adds up what all threads counted for a route. Runs with the workers' lock held. */
void figures_sum_route(const struct app *app, unsigned route, struct route_counts *total);

#endif
