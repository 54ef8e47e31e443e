/* The figures of this process, read from where they are counted. */
#include "api/ops/figures.h"

#include "store/maintenance.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static double free_bytes(const char *folder) {
    struct statvfs facts;
    return statvfs(folder, &facts) == 0 ? (double)facts.f_bavail * (double)facts.f_frsize : -1;
}

/* `rosterd backup` touches this file. */
static double last_backup_s(const char *folder) {
    char path[PATH_MAX];
    struct stat facts;
    int len = snprintf(path, sizeof path, "%s/" LAST_BACKUP, folder);
    bool is_there = len > 0 && (size_t)len < sizeof path && stat(path, &facts) == 0;
    return is_there ? (double)facts.st_mtim.tv_sec : -1;
}

struct figures figures_now(struct app *app, int64_t pending) {
    return (struct figures){
        .app = app,
        .store = store_stats(app->store),
        .passwords = passwords_stats(app->auth.passwords),
        .budget = budget_stats(),
        .process = process_stats(),
        .disk_free = free_bytes(app->folder),
        .last_backup_s = last_backup_s(app->folder),
        .pending = pending,
    };
}

void figures_sum_route(const struct app *app, unsigned route, struct route_counts *total) {
    *total = (struct route_counts){ 0 };
    for (const struct worker *worker = app->workers; worker; worker = worker->next)
        counters_sum(worker->counters, route, total);
}
