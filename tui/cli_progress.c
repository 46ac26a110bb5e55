/* See cli_progress.h. */
#include "tui/cli_progress.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/str.h"
#include "tui/cli_out.h"

#include <stdio.h>
#include <string.h>

#define LIVE_COLUMNS 79

const char *cli_progress_word(enum light light)
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
    json_add_str(data, "state", cli_progress_word(job->steps[i].light));
    if (percent >= 0)
        json_add_u64(data, "percent", (uint64_t)percent);
    else
        json_add(data, "percent", cJSON_CreateNull());
    cli_out_json("JobEvent", event);
}

void cli_progress_clear(struct cli_progress *p)
{
    if (p->live_shown)
        (void)fprintf(stderr, "\r%*s\r", LIVE_COLUMNS, "");
    p->live_shown = false;
}

static void live_show(struct cli_progress *p, const struct job_status *job)
{
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
    cli_progress_clear(p);
    (void)fprintf(stderr, "%s", shown);
    (void)fflush(stderr);
    p->live_shown = true;
}

static void step_note(struct cli_progress *p, const struct job_status *job, size_t i)
{
    enum light light = job->steps[i].light;
    cli_progress_clear(p);
    if (light == LIGHT_BAD)
        cli_out_note("[%zu/%zu] %s: failed", i + 1, job->n_steps, job->steps[i].name);
    else if (light != LIGHT_BUSY || !p->live)
        cli_out_note("[%zu/%zu] %s", i + 1, job->n_steps, job->steps[i].name);
}

/* Whether people were told of the step with this light already: on a terminal a running step is the
 * live line. */
static bool step_told(const struct cli_progress *p, enum light before, enum light now)
{
    if (now == before || now == LIGHT_TODO || now == LIGHT_OFF || now == LIGHT_UNKNOWN)
        return true;
    if (now == LIGHT_BAD)
        return false;
    return p->live ? now == LIGHT_BUSY : before == LIGHT_BUSY;
}

void cli_progress_show(struct cli_progress *p, const struct job_status *job)
{
    for (size_t i = 0; i < job->n_steps; i++) {
        enum light before = i < p->shown.n_steps ? p->shown.steps[i].light : LIGHT_TODO;
        enum light now = job->steps[i].light;
        bool moved = i == job->step && now == LIGHT_BUSY && job->percent != p->shown.percent;
        if (p->json && (now != before || moved))
            step_event(job, i, i == job->step && now == LIGHT_BUSY ? job->percent : -1);
        else if (!p->json && !p->quiet && !step_told(p, before, now))
            step_note(p, job, i);
    }
    if (p->live)
        live_show(p, job);
    p->shown = *job;
}
