/* Each step of a job is told once, whatever snapshots happen to arrive. */
#include "core/base/str.h"
#include "tui/cli_progress.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>

static struct job_status job_at(size_t step, int percent)
{
    static const char *const names[] = {"Check", "Copy \x1b[2Jdisk", "Boot"};
    struct job_status job = {.n_steps = 3, .step = step, .percent = percent, .started_ms = 1};
    STR_SET(job.id, "j-7");
    for (size_t i = 0; i < 3; i++) {
        STR_SET(job.steps[i].name, names[i]);
        job.steps[i].light = i < step ? LIGHT_OK : i == step ? LIGHT_BUSY : LIGHT_TODO;
    }
    return job;
}

static void show_all(struct cli_progress *p, const struct job_status *jobs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cli_progress_show(p, &jobs[i]);
    (void)fflush(stdout);
    (void)fflush(stderr);
}

Test(cli_progress, tells_each_step_once, .init = cr_redirect_stderr)
{
    struct cli_progress p = {.shown = {.percent = -1}};
    struct job_status jobs[] = {job_at(0, -1), job_at(0, -1), job_at(1, 10),
                                job_at(1, 60), job_at(2, -1), job_at(3, -1)};
    show_all(&p, jobs, ARRAY_LEN(jobs));
    cr_assert_stderr_eq_str("[1/3] Check\n[2/3] Copy ^[[2Jdisk\n[3/3] Boot\n");
}

Test(cli_progress, tells_steps_that_nobody_saw_running, .init = cr_redirect_stderr)
{
    struct cli_progress p = {.shown = {.percent = -1}};
    struct job_status job = job_at(2, -1);
    job.steps[2].light = LIGHT_BAD;
    job.steps[0].light = LIGHT_OFF;
    show_all(&p, &job, 1);
    cr_assert_stderr_eq_str("[2/3] Copy ^[[2Jdisk\n[3/3] Boot: failed\n",
                            "a skipped step is not told");
}

Test(cli_progress, quiet_is_quiet, .init = cr_redirect_stderr)
{
    struct cli_progress p = {.quiet = true, .shown = {.percent = -1}};
    struct job_status jobs[] = {job_at(0, -1), job_at(3, -1)};
    show_all(&p, jobs, ARRAY_LEN(jobs));
    cr_assert_stderr_eq_str("");
}

Test(cli_progress, scripts_get_events, .init = cr_redirect_stdout)
{
    struct cli_progress p = {.json = true, .shown = {.percent = -1}};
    struct job_status jobs[] = {job_at(1, -1), job_at(1, 50), job_at(1, 50)};
    jobs[0].steps[0].light = jobs[1].steps[0].light = jobs[2].steps[0].light = LIGHT_OFF;
#define EVENT(step, state, percent)                                                         \
    "{\"apiVersion\":\"berth/"                                                              \
    "v1\",\"kind\":\"JobEvent\",\"type\":\"step\",\"data\":{\"job\":\"j-7\",\"step\":" step \
    ",\"totalSteps\":3,\"name\":\"" state "\",\"percent\":" percent "}}\n"
    show_all(&p, jobs, ARRAY_LEN(jobs));
    cr_assert_stdout_eq_str(EVENT("1", "Check\",\"state\":\"skipped", "null")
                                EVENT("2", "Copy \\u001b[2Jdisk\",\"state\":\"running", "null")
                                    EVENT("2", "Copy \\u001b[2Jdisk\",\"state\":\"running", "50"));
}

Test(cli_progress, a_terminal_gets_one_line_that_is_rewritten, .init = cr_redirect_stderr)
{
    struct cli_progress p = {.live = true, .shown = {.percent = -1}};
    struct job_status jobs[] = {job_at(0, -1), job_at(1, 60)};
    for (size_t i = 0; i < 2; i++)
        jobs[i].started_ms = UINT64_MAX; /* elapsed: 0:00 */
    show_all(&p, jobs, ARRAY_LEN(jobs));
    cli_progress_clear(&p);
    cli_progress_clear(&p);
    (void)fflush(stderr);
    char wanted[600];
    (void)snprintf(
        wanted, sizeof(wanted),
        "[1/3] Check  0:00\r%79s\r[1/3] Check\n[2/3] Copy ^[[2Jdisk  60 %%  0:00\r%79s\r", "", "");
    cr_assert_stderr_eq_str(wanted);
}
