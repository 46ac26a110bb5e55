/* See cli_job.h. The engine sends whole snapshots; what changed since the last one is worked out
 * here. */
#include "tui/cli_job.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/rpc/model_json.h"
#include "tui/cli_out.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define LIVE_COLUMNS 79

struct watch {
    const char *id;
    bool json, quiet, live; /* live: one line that is rewritten */
    bool live_shown;
    bool missing; /* the engine no longer lists it */
    bool ended;
    struct job_status now;
    struct job_status shown; /* what was told already */
};

/* ------------------------------------------------------------------------------------------
 * showing */

static const char *step_word(enum light light)
{
    static const char *const words[] = {
        [LIGHT_UNKNOWN] = "unknown", [LIGHT_OFF] = "skipped", [LIGHT_TODO] = "todo",
        [LIGHT_BUSY] = "running",    [LIGHT_OK] = "done",     [LIGHT_WARN] = "done",
        [LIGHT_BAD] = "failed",
    };
    _Static_assert(ARRAY_LEN(words) == LIGHT_COUNT, "a word for each light");
    return words[light < LIGHT_COUNT ? light : LIGHT_UNKNOWN];
}

static void step_event(const struct job_status *job, size_t i, int percent)
{
    cJSON *event = cJSON_CreateObject();
    json_add_str(event, "type", "step");
    cJSON *data = json_add_obj(event, "data");
    json_add_str(data, "job", job->id);
    json_add_u64(data, "step", i + 1);
    json_add_u64(data, "totalSteps", job->n_steps);
    json_add_str(data, "name", job->steps[i].name);
    json_add_str(data, "state", step_word(job->steps[i].light));
    if (percent >= 0)
        json_add_u64(data, "percent", (uint64_t)percent);
    else
        json_add(data, "percent", cJSON_CreateNull());
    cli_out_json("JobEvent", event);
}

static void live_clear(struct watch *w)
{
    if (w->live_shown)
        (void)fprintf(stderr, "\r%*s\r", LIVE_COLUMNS, "");
    w->live_shown = false;
}

static void live_show(struct watch *w)
{
    const struct job_status *job = &w->now;
    auto_buf struct buf line = {0};
    char elapsed[24];
    uint64_t now = clock_wall_ms();
    if (job->step >= job->n_steps || job_state_ended(job->state))
        return;
    str_duration(elapsed, sizeof(elapsed),
                 now > job->started_ms ? (now - job->started_ms) / 1000 : 0);
    buf_printf(&line, "[%zu/%zu] ", job->step + 1, job->n_steps);
    str_sanitise(&line, job->steps[job->step].name, strlen(job->steps[job->step].name));
    if (job->percent >= 0)
        buf_printf(&line, "  %d %%", job->percent);
    buf_printf(&line, "  %s", elapsed);

    char shown[LIVE_COLUMNS + 1];
    STR_SET(shown, buf_str(&line));
    live_clear(w);
    (void)fprintf(stderr, "%s", shown);
    (void)fflush(stderr);
    w->live_shown = true;
}

static void step_note(struct watch *w, size_t i)
{
    const struct job_status *job = &w->now;
    enum light light = job->steps[i].light;
    live_clear(w);
    if (light == LIGHT_BAD)
        cli_out_note("[%zu/%zu] %s: failed", i + 1, job->n_steps, job->steps[i].name);
    else if (light != LIGHT_BUSY || !w->live)
        cli_out_note("[%zu/%zu] %s", i + 1, job->n_steps, job->steps[i].name);
}

/* Whether people were told of the step with this light already: on a terminal a running step is the
 * live line. */
static bool step_told(const struct watch *w, enum light before, enum light now)
{
    if (now == before || now == LIGHT_TODO || now == LIGHT_OFF || now == LIGHT_UNKNOWN)
        return true;
    if (now == LIGHT_BAD)
        return false;
    return w->live ? now == LIGHT_BUSY : before == LIGHT_BUSY;
}

static void show(struct watch *w)
{
    const struct job_status *job = &w->now;
    for (size_t i = 0; i < job->n_steps; i++) {
        enum light before = i < w->shown.n_steps ? w->shown.steps[i].light : LIGHT_TODO;
        enum light now = job->steps[i].light;
        bool moved = i == job->step && now == LIGHT_BUSY && job->percent != w->shown.percent;
        if (w->json && (now != before || moved))
            step_event(job, i, i == job->step && now == LIGHT_BUSY ? job->percent : -1);
        else if (!w->json && !w->quiet && !step_told(w, before, now))
            step_note(w, i);
    }
    if (w->live)
        live_show(w);
    w->shown = *job;
}

/* ------------------------------------------------------------------------------------------
 * waiting */

static void take_job(struct watch *w, const cJSON *job)
{
    model_parse_job(job, &w->now);
    w->ended = job_state_ended(w->now.state);
    show(w);
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
    live_clear(w);
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

static enum cli_exit ended(struct cli *cli, struct watch *w)
{
    const struct job_status *job = &w->now;
    enum cli_exit result = cli_exit_of_job(job);
    live_clear(w);
    if (w->json)
        cli_out_json("Job", model_json_job(job));
    if (job->state == JOB_STATE_DONE) {
        char took[24];
        str_duration(took, sizeof(took),
                     job->ended_ms > job->started_ms ? (job->ended_ms - job->started_ms) / 1000
                                                     : 0);
        if (!w->json && !w->quiet)
            cli_out_note("%s: done (%s)", job->title, took);
        return result;
    }
    struct err err = job->error;
    if (err.kind == ERR_NONE)
        err_set(&err, ERR_CANCELLED, "%s: %s", job->title, job_state_name(job->state));
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
        enum cli_wait why = cli_rpc_wait(cli->rpc, cli->timeout_ms, &number, &err);
        if (why == CLI_WAIT_LOST) {
            live_clear(w);
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
    w->json = cli->args->json;
    w->quiet = cli->args->quiet;
    w->live = !w->json && !w->quiet && isatty(STDERR_FILENO);
    w->shown.percent = -1;
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

/* ------------------------------------------------------------------------------------------ verbs
 */

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
    auto_buf struct buf text = {0};
    const cJSON *item = NULL;
    static const char *const head[] = {"JOB", "STATE", "STARTED", "STEP", "WHAT"};
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        cli_grid_add(&grid, head[i]);
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
    cli_grid_print(&grid, &text);
    cli_out_text(buf_str(&text));
    return CLI_EXIT_DONE;
}

int cli_job_show(struct cli *cli)
{
    struct err err = {0};
    auto_json cJSON *result = NULL;
    if (get_job(cli, cli->args->places[0], &result, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json) {
        cli_out_json("Job", steal(result));
        return CLI_EXIT_DONE;
    }
    cli_out_printf("%s  %s  %s\n", json_str(result, "id", ""), json_str(result, "state", ""),
                   json_str(result, "title", ""));
    const cJSON *step = NULL;
    cJSON_ArrayForEach(step, json_get(result, "steps"))
    {
        cli_out_printf("  %-8s %s\n", step_word(light_parse(json_str(step, "light", ""))),
                       json_str(step, "name", ""));
    }
    const cJSON *error = json_get(result, "error");
    if (cJSON_IsObject(error))
        cli_out_printf("  error    %s\n  next     %s\n", json_str(error, "message", ""),
                       json_str(error, "hint", "-"));
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
