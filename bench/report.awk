# What tools/bench prints of its results: lines of round, name and columns (replies a second, p50 ms, p99 ms,
# CPU us for a reply). Figures are medians over the rounds, ratios medians of each round's own. Writes those
# that must not fall into the file `kept`.
function median(list, n,    i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && list[j - 1] > list[j]; j--) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}
function has(name, column) { return (1, name, column) in value }
function of(name, column,    i, list) {
    for (i = 1; i <= rounds; i++) list[i] = value[i, name, column]
    return median(list, rounds)
}
function ratio(a, b, column,    i, list) {
    for (i = 1; i <= rounds; i++) list[i] = value[i, a, column] / value[i, b, column]
    return median(list, rounds)
}
# Of one name to another, noted as a ratio that must not fall: of replies a second, or a second of CPU.
function rated(name, limit, column,    r) {
    if (!limit || !has(name, column) || !has(limit, column)) return ""
    r = column == CPU ? ratio(limit, name, CPU) : ratio(name, limit, column)
    named[++ratios] = sprintf("%s/%s%s %.2f", name, limit, column == CPU ? ":cpu" : "", r)
    return sprintf("%.2f", r)
}
function shown(name, column) { return has(name, column) && of(name, column) ? sprintf("%.2f", of(name, column)) : "" }
function gap() { if (gaps++) print "" }
function row(text, name, limit) {
    if (!has(name, 1)) return
    if (!rows++) {
        gap()
        printf "| %-48s | %8s | %7s | %7s | %7s | %5s | %5s |\n", "job", "per s", "p50 ms", "p99 ms", "CPU us",
            "ratio", "CPU"
        print "|---|---:|---:|---:|---:|---:|---:|"
    }
    printf "| %-48s | %8.0f | %7s | %7s | %7s | %5s | %5s |\n", text, of(name, 1), shown(name, 2),
        shown(name, 3), shown(name, CPU), rated(name, limit, 1), rated(name, limit, CPU)
}
function memory(text, name) {
    if (has(name, 1)) printf "| %-48s | %8.0f | %8.0f |\n", text, value[1, name, 1], value[1, name, 2]
}
function against(text, name,    a, b) {
    a = "new-" name
    b = "old-" name
    printf "| %-34s | %8.0f | %8.0f | %7.2f | %7.2f | %7.2f | %7.2f |\n", text, of(b, 1), of(a, 1),
        ratio(a, b, 1), of(b, CPU), of(a, CPU), ratio(a, b, CPU)
}
BEGIN { CPU = 4 }
{ for (i = 3; i <= NF; i++) value[$1, $2, i - 2] = $i }
END {
    printf "\n%d users, %d rounds of %d s, medians\n\n", size, rounds, seconds
    row("no parsing, 1,024 bytes, 64 connections", "bare", "")
    row("fixed reply of 1,024 bytes, 64 connections", "fixed1k", "bare")
    row("no parsing, 1 connection", "bare_one", "")
    row("fixed reply of 1,024 bytes, 1 connection", "fixed_one", "bare_one")
    row("no parsing, 64 connections, 16 at once", "bare_pipelined", "")
    row("fixed reply of 1,024 bytes, 64, 16 at once", "fixed_pipelined", "bare_pipelined")
    row("the same by HTTPS, 64 connections", "https", "fixed1k")
    row("the same by HTTP/2 over TLS, 16 x 10 streams", "h2", "fixed1k")
    row("fixed reply of " record " bytes, 64 connections", "fixed", "")
    row("GET by id, 64 connections", "get", "fixed")
    row("the same with --access-log", "get_logged", "get")
    row("PUT of 60 fields, 64 connections", "put", "limit")
    row("store limit, groups as PUT formed them (" of("group", 1) ")", "limit", "")
    row("the same PUT against the limit below", "put", "limit64")
    row("store limit, groups of 64", "limit64", "")
    row("PUT of 60 fields, 8 connections", "put8", "limit8")
    row("store limit, groups of 8", "limit8", "")
    row("PUT that changes the e-mail, 64 connections", "email", "limit_email")
    row("store limit with a new e-mail, its groups", "limit_email", "")
    row("fixed reply of " found " bytes, 64 connections", "fixed_found", "")
    row("search by e-mail, 64 connections", "search", "fixed_found")
    row("search by e-mail, 1 connection", "find_email", "")
    row("search by Id", "find_id", "")
    row("first 25 by Id", "by_id", "")
    row("any 25 by Id", "any_by_id", "by_id")
    row("first 25 by FullName", "by_name", "")
    row("any 25 by FullName", "any_by_name", "by_name")
    row("last 25 by Email", "by_email", "")
    row("any 25 by Email", "any_by_email", "by_email")
    row("FullName contains what one has", "rare_name", "")
    row("FullName contains what ten have", "some_names", "")
    row("Email contains what one has", "rare_email", "")
    row("Email contains what all have", "all_emails", "")
    row("sign-in with a password, 8 connections", "login", "")
    row("GET by id, 1 connection, beside those", "get_beside", "")
    row("GET by id, 1 connection", "alone", "")
    row("beside 6 with names of 500,000 Greek letters", "greek_beside", "")
    row("sign-in, 1 connection", "login_alone", "")
    row("beside 6 guesses at the dearest imported hash", "guess_beside", "")
    rows = 0
    row("PostgreSQL: pgbench -S of the row, 16 clients", "pg_get_limit", "")
    row("GET by id, 64 connections", "pg_get", "pg_get_limit")
    row("GET by id, 2 processes x 32", "pg_get_two", "pg_get")
    row("pgbench with the transaction of PUT, 16", "pg_put_limit", "")
    row("PUT of 60 fields, 64 connections", "pg_put", "pg_put_limit")
    row("with a synchronous standby: pgbench, 16", "pg_put_standby_limit", "")
    row("with a synchronous standby: PUT, 64", "pg_put_standby", "pg_put_standby_limit")
    row("PUT of 60 fields, 1 connection", "pg_put_one", "")
    row("PUT, 2 processes x 32", "pg_put_two", "pg_put")
    row("FullName contains what one has", "pg_rare_name", "")
    row("Email contains what one has", "pg_rare_email", "")
    row("first 25 by Id", "pg_by_id", "")
    row("any 25 by Id", "pg_any_by_id", "pg_by_id")
    row("first 25 by FullName", "pg_by_name", "")
    row("any 25 by FullName", "pg_any_by_name", "pg_by_name")
    row("last 25 by Email", "pg_by_email", "")
    row("any 25 by Email", "pg_any_by_email", "pg_by_email")
    if (has("rest_idle", 1)) {
        gap()
        printf "| %-48s | %8s | %8s |\n|---|---:|---:|\n", "memory of each of 10,000 connections, bytes", "Pss", "Rss"
        memory("at rest after a request", "rest_idle")
        memory("half a head sent", "rest_half")
        memory("TLS, at rest after a request", "rest_tls")
        memory("HTTP/2 over TLS, at rest after a request", "rest_h2")
    }
    if (has("old-get", 1)) {
        gap()
        printf "| %-34s | %8s | %8s | %7s | %7s | %7s | %7s |\n", "against the older build", "old /s", "new /s",
            "new/old", "old us", "new us", "new/old"
        print "|---|---:|---:|---:|---:|---:|---:|"
        against("fixed reply of 1,024 bytes, 64", "fixed1k")
        against("GET by id, 64", "get")
        against("PUT of 60 fields, 64", "put")
    }
    print ""
    for (i = 1; i <= ratios; i++) print named[i] >kept
    if (has("start", 1))
        printf "check of a bearer token: %.0f ns; from start to ready: %.0f ms\n", of("token", 1), of("start", 1)
    if (has("page", 1))
        printf "rows of the admin UI on screen, from nothing, with the processor slowed 6 times: %.0f ms\n", of("page", 1)
    if (has("put", 1)) printf "after PUT: log (WAL) %.0f MB, resident memory %.0f MB\n", of("wal", 1), of("rss", 1)
    if (has("search", 1)) printf "resident memory under searches: at most %.0f MB\n", of("search_rss", 1)
    if (has("pg_put_cost", 1)) {
        printf "PostgreSQL's CPU time: GET %.1f us, pgbench -S %.1f; PUT %.1f us, pgbench's transaction %.1f;",
            of("pg_get_cost", 1), of("pg_get_limit_cost", 1), of("pg_put_cost", 1), of("pg_put_limit_cost", 1)
        printf " with a standby PUT %.1f us, pgbench's %.1f\n", of("pg_put_standby_cost", 1),
            of("pg_put_standby_limit_cost", 1)
    }
    if (has("pg_put_wal", 1))
        printf "PostgreSQL with %d users: log (WAL) of a PUT %.0f bytes, %.0f without whole pages\n", postgres,
            of("pg_put_wal", 1), of("pg_put_plain_wal", 1)
    if (has("crowd", 1)) printf "resident memory with 10,000 connections: at most %.0f MB\n", of("crowd", 1)
}
