/* See cli_job.h. The engine sends whole snapshots; what changed since the last one is worked out
 * here. */
#include "tui/cli_job.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/rpc/model_json.h"
#include "tui/cli_out.h"
#include "tui/cli_progress.h"

#include <signal.h>
#include <unistd.h>

#define TICK_MS 1000 /* on a terminal the elapsed time goes on though nothing changes */

struct watch {
    const char *id;
    bool missing; /* the engine no longer lists it */
    bool ended;
    struct job_status now;
    struct cli_progress progress;
};

static void take_job(struct watch *w, const cJSON *job)
{
    model_parse_job(job, &w->now);
    w->ended = job_state_ended(w->now.state);
    cli_progress_show(&w->progress, &w->now);
}

static void take_snapshot(struct watch *w, const cJSON *snapshot)
{
    const cJSON *job = NULL;
    cJSON_ArrayForEach(job, json_get(snapshot, "jobs"))
    {
        if (str_eq(json_str(job, "id", ""), w->id)) {
            take_job(w, job);
            return;
        }
    }
    w->missing = true;
}

static bool on_event(void *arg, const char *method, const cJSON *params)
{
    struct watch *w = arg;
    enum cli_exit broken = CLI_EXIT_DONE;
    if (!str_eq(method, "event.snapshot"))
        return true;
    take_snapshot(w, params);
    return cli_out_flush(&broken) && !w->ended && !w->missing;
}

static enum cli_exit left_running(struct cli *cli, struct watch *w, enum cli_wait why, int number)
{
    struct err err = {0};
    cli_progress_clear(&w->progress);
    if (why == CLI_WAIT_TIMEOUT) {
        err_set(&err, ERR_TIMEOUT, "job %s goes on", w->id);
        err_hint(&err, "`berth job attach %s` comes back to it, `berth job cancel %s` stops it",
                 w->id, w->id);
        return cli_fail(cli, &err);
    }
    cli_out_note("berth: job %s goes on; `berth job attach %s` comes back to it, `berth job cancel "
                 "%s` stops it",
                 w->id, w->id, w->id);
    return number == SIGTERM ? CLI_EXIT_TERMINATED : CLI_EXIT_INTERRUPTED;
}

/* "kind" says what the object is; what kind of job it is comes as "jobKind". */
static void print_job(cJSON *take_job)
{
    char kind[64];
    STR_SET(kind, json_str(take_job, "kind", ""));
    json_add_str(take_job, "jobKind", kind);
    cli_out_json("Job", take_job);
}

static enum cli_exit ended(struct cli *cli, struct watch *w)
{
    const struct job_status *job = &w->now;
    enum cli_exit result = cli_exit_of_job(job);
    cli_progress_clear(&w->progress);
    if (w->progress.json)
        print_job(model_json_job(job));
    if (job->state == JOB_STATE_DONE) {
        char took[24];
        str_duration(took, sizeof(took),
                     job->ended_ms > job->started_ms ? (job->ended_ms - job->started_ms) / 1000
                                                     : 0);
        if (!w->progress.json && !w->progress.quiet)
            cli_out_note("%s: done (%s)", job->title, took);
        return result;
    }
    struct err err = job->error;
    if (err.kind == ERR_NONE)
        err_set(&err, ERR_CANCELLED, "%s", job_state_name(job->state));
    if (err.kind == ERR_CANCELLED)
        err_wrap(&err, "%s", job->title);
    const char *code = result == CLI_EXIT_REFUSED ? "cloud_refused" : err_kind_name(err.kind);
    cli_out_error(&err, result, code, cli->args->json);
    return result;
}

static int get_job(struct cli *cli, const char *id, cJSON **ret_job, struct err *err)
{
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "id", id);
    return cli_call(cli, "job.get", params, ret_job, err);
}

static enum cli_wait wait_for_end(struct cli *cli, struct watch *w, int *ret_signal,
                                  struct err *err)
{
    uint64_t until = cli->timeout_ms ? clock_mono_ms() + cli->timeout_ms : UINT64_MAX;
    for (;;) {
        uint64_t now = clock_mono_ms();
        uint64_t left = until > now ? until - now : 1;
        bool tick = w->progress.live && left > TICK_MS;
        uint64_t wait_ms = tick ? TICK_MS : cli->timeout_ms ? left : 0;
        enum cli_wait why = cli_rpc_wait(cli->rpc, wait_ms, ret_signal, err);
        if (why != CLI_WAIT_TIMEOUT || !tick)
            return why;
        cli_progress_show(&w->progress, &w->now);
    }
}

/* Asks once, then follows the events. */
static enum cli_exit follow(struct cli *cli, struct watch *w)
{
    struct err err = {0};
    auto_json cJSON *job = NULL;
    auto_json cJSON *snapshot = NULL;
    if (get_job(cli, w->id, &job, &err) < 0)
        return cli_fail(cli, &err);
    take_job(w, job);
    if (!w->ended) {
        cli_rpc_on_event(cli->rpc, on_event, w);
        if (cli_call(cli, "snapshot.watch", NULL, &snapshot, &err) < 0)
            return cli_fail(cli, &err);
        if (!w->ended)
            take_snapshot(w, snapshot);
    }
    if (!w->ended && !w->missing) {
        int number = 0;
        enum cli_wait why = wait_for_end(cli, w, &number, &err);
        if (why == CLI_WAIT_LOST) {
            cli_progress_clear(&w->progress);
            return cli_fail(cli, &err);
        }
        if (why != CLI_WAIT_ENOUGH)
            return left_running(cli, w, why, number);
    }
    if (!w->ended) {
        /* It ended and newer jobs pushed it out of the snapshot, or the reader of our output is
         * gone. */
        cJSON_Delete(steal(job));
        if (get_job(cli, w->id, &job, &err) < 0)
            return cli_fail(cli, &err);
        take_job(w, job);
    }
    return w->ended ? ended(cli, w) : CLI_EXIT_PIPE;
}

enum cli_exit cli_job_wait(struct cli *cli, const char *id)
{
    struct watch *w = xcalloc(1, sizeof(*w));
    w->id = id;
    w->progress.json = cli->args->json;
    w->progress.quiet = cli->args->quiet;
    w->progress.live = !cli->args->json && !cli->args->quiet && isatty(STDERR_FILENO);
    w->progress.shown.percent = -1;
    enum cli_exit result = follow(cli, w);
    free(w);
    return result;
}

enum cli_exit cli_job_run(struct cli *cli, const char *method, cJSON *take_params)
{
    struct err err = {0};
    auto_json cJSON *result = NULL;
    if (cli_call(cli, method, take_params, &result, &err) < 0)
        return cli_fail(cli, &err);
    const char *id = json_str(result, "job", "");
    if (!*id) /* nothing to do: already so */
        return CLI_EXIT_DONE;
    if (cli_args_takes(cli->args, "no-wait") && cli_args_has(cli->args, "no-wait")) {
        if (cli->args->json)
            cli_out_json("JobStarted", steal(result));
        else
            cli_out_printf("%s\n", id);
        return CLI_EXIT_DONE;
    }
    return cli_job_wait(cli, id);
}

int cli_job_list(struct cli *cli)
{
    struct err err = {0};
    auto_json cJSON *result = NULL;
    if (cli_call(cli, "job.list", NULL, &result, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json) {
        cli_out_json_list("JobList", cJSON_DetachItemFromObjectCaseSensitive(result, "jobs"));
        return CLI_EXIT_DONE;
    }

    auto_grid struct cli_grid grid = {.columns = 5};
    const cJSON *item = NULL;
    static const char *const head[] = {"JOB", "STATE", "STARTED", "STEP", "WHAT"};
    cli_grid_head(&grid, head);
    cJSON_ArrayForEach(item, json_get(result, "jobs"))
    {
        char at[CLOCK_TEXT_MAX];
        size_t steps = (size_t)cJSON_GetArraySize(json_get(item, "steps"));
        size_t step = json_u64(item, "step", 0) + 1;
        clock_format(at, sizeof(at), json_u64(item, "startedMs", 0));
        cli_grid_add(&grid, json_str(item, "id", ""));
        cli_grid_add(&grid, json_str(item, "state", ""));
        cli_grid_add(&grid, at);
        cli_grid_addf(&grid, "%zu/%zu", step < steps ? step : steps, steps);
        cli_grid_add(&grid, json_str(item, "title", ""));
    }
    if (grid.n == grid.columns) {
        cli_out_note("There are no jobs.");
        return CLI_EXIT_DONE;
    }
    cli_grid_show(&grid);
    return CLI_EXIT_DONE;
}

int cli_job_show(struct cli *cli)
{
    struct err err = {0};
    auto_json cJSON *result = NULL;
    if (get_job(cli, cli->args->places[0], &result, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json) {
        print_job(steal(result));
        return CLI_EXIT_DONE;
    }
    cli_out_printf("%s  %s  %s\n", json_str(result, "id", ""), json_str(result, "state", ""),
                   json_str(result, "title", ""));
    const cJSON *step = NULL;
    cJSON_ArrayForEach(step, json_get(result, "steps"))
    {
        cli_out_printf("  %-8s %s\n", cli_progress_word(light_parse(json_str(step, "light", ""))),
                       json_str(step, "name", ""));
    }
    const cJSON *error = json_get(result, "error");
    if (cJSON_IsObject(error))
        cli_out_printf("  error    %s\n", json_str(error, "message", ""));
    if (*json_str(error, "hint", ""))
        cli_out_printf("  next     %s\n", json_str(error, "hint", ""));
    return CLI_EXIT_DONE;
}

/* The job to come back to: the one that is named, else the only running one. Heap string. */
static int job_meant(struct cli *cli, char **ret_id, struct err *err)
{
    auto_json cJSON *result = NULL;
    const cJSON *item = NULL;
    const char *found = NULL;
    if (cli->args->n_places) {
        *ret_id = xstrdup(cli->args->places[0]);
        return 0;
    }
    if (cli_call(cli, "job.list", NULL, &result, err) < 0)
        return -1;
    cJSON_ArrayForEach(item, json_get(result, "jobs"))
    {
        if (job_state_ended(job_state_parse(json_str(item, "state", ""))))
            continue;
        if (found)
            return err_set(err, ERR_INVALID, "several jobs run: say which one");
        found = json_str(item, "id", "");
    }
    if (!found) {
        err_set(err, ERR_NOT_FOUND, "no job runs");
        return err_hint(err, "`berth job list` shows what ran lately");
    }
    *ret_id = xstrdup(found);
    return 0;
}

int cli_job_attach(struct cli *cli)
{
    struct err err = {0};
    auto_free char *id = NULL;
    if (job_meant(cli, &id, &err) < 0)
        return cli_fail(cli, &err);
    return cli_job_wait(cli, id);
}

int cli_job_cancel(struct cli *cli)
{
    struct err err = {0};
    auto_free char *id = NULL;
    if (job_meant(cli, &id, &err) < 0)
        return cli_fail(cli, &err);
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "id", id);
    if (cli_call(cli, "job.cancel", params, NULL, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json) {
        cJSON *out = cJSON_CreateObject();
        json_add_str(out, "id", id);
        cli_out_json("JobCancelled", out);
    } else if (!cli->args->quiet) {
        cli_out_note("job %s is asked to stop", id);
    }
    return CLI_EXIT_DONE;
}
