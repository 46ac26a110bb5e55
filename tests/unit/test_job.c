/* Jobs against a table of steps of the test's own: each step makes a file, its undo removes it, so
 * that what is left on the disk tells whether a job was done, or undone, as a whole. */
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/jobs.h"
#include "core/engine/journal.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define N_STEPS 3

/* What the test's steps do; set by each test. */
static struct {
    char dir[64];
    int fail_at; /* this step fails after it made its file; -1 none */
    int hang_at; /* this step waits for its cancel */
    int undo_fails_at;
    unsigned applied[N_STEPS];
    char order[64]; /* "0 1 2 u2 u1" */
} world;

static void note(const char *mark, int step)
{
    char text[16];
    (void)str_format(text, sizeof(text), "%s%s%d", *world.order ? " " : "", mark, step);
    (void)str_format(world.order + strlen(world.order), sizeof(world.order) - strlen(world.order),
                     "%s", text);
}

static char *step_file(int step)
{
    return xasprintf("%s/made-%d", world.dir, step);
}

static int make_file(struct job_work *work, int step, struct err *err)
{
    auto_free char *path = step_file(step);
    world.applied[step]++;
    if (file_write(path, "x", 1, 0600, err) < 0)
        return -1;
    job_work_progress(work, 50, "made %d", step);
    while (world.hang_at == step && !job_work_cancelled(work))
        (void)poll(NULL, 0, 1);
    if (world.hang_at == step)
        return err_set(err, ERR_CANCELLED, "was told to stop");
    if (world.fail_at == step)
        return err_set(err, ERR_NO_SPACE, "step %d found no space", step);
    return 0;
}

static int unmake_file(int step, struct err *err)
{
    auto_free char *path = step_file(step);
    if (world.undo_fails_at == step)
        return err_set(err, ERR_SYSTEM, "file %d is stuck", step);
    return file_remove_tree(path, err);
}

#define STEP(i)                                                            \
    static int make_##i(struct job_work *work, void *ctx, struct err *err) \
    {                                                                      \
        (void)ctx;                                                         \
        return make_file(work, i, err);                                    \
    }                                                                      \
    static void apply_##i(struct job *job, void *ctx)                      \
    {                                                                      \
        (void)ctx;                                                         \
        note("", i);                                                       \
        job_work(job, make_##i);                                           \
    }                                                                      \
    static void undo_##i(struct job *job, void *ctx)                       \
    {                                                                      \
        struct err err = {0};                                              \
        (void)ctx;                                                         \
        note("u", i);                                                      \
        job_step_done(job, unmake_file(i, &err) < 0 ? &err : NULL);        \
    }
STEP(0)
STEP(1)
STEP(2)

static bool check_1(struct job *job, void *ctx)
{
    auto_free char *path = step_file(1);
    (void)job;
    (void)ctx;
    return file_exists(path);
}

static const struct job_step_def steps[N_STEPS] = {
    {"Make zero", .apply = apply_0, .undo = undo_0, .usual_ms = 1000},
    {"Make one", .check = check_1, .apply = apply_1, .undo = undo_1, .limit_ms = 300},
    {"Make two", .apply = apply_2, .undo = undo_2},
};

static void *ctx_new(void *owner, const cJSON *params, struct err *err)
{
    (void)owner;
    (void)err;
    return xstrdup(json_str(params, "secretless", ""));
}

static const struct job_kind kind_goes_on = {"test.on", steps, N_STEPS,
                                             ctx_new,   free,  .resumes = true};
static const struct job_kind kind_goes_back = {"test.back", steps, N_STEPS,
                                               ctx_new,     free,  .resumes = false};
static const struct job_kind *const kinds[] = {&kind_goes_on, &kind_goes_back, NULL};

static void on_change(void *owner)
{
    (void)owner;
}

static struct jobs *open_jobs(uv_loop_t *loop)
{
    static char path[96];
    (void)str_format(path, sizeof(path), "%s/jobs", world.dir);
    cr_assert_eq(uv_loop_init(loop), 0);
    struct jobs *jobs = jobs_new(
        &(struct jobs_options){.loop = loop, .dir = path, .kinds = kinds, .on_change = on_change},
        NULL);
    cr_assert_not_null(jobs);
    return jobs;
}

static void run_out(uv_loop_t *loop, struct jobs *jobs)
{
    uint64_t deadline = clock_mono_ms() + 10000;
    while (jobs_running(jobs) && clock_mono_ms() < deadline)
        (void)uv_run(loop, UV_RUN_ONCE);
    cr_assert_eq(jobs_running(jobs), 0, "the job came to an end");
}

static void close_jobs(uv_loop_t *loop, struct jobs *jobs)
{
    jobs_free(jobs);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(loop), 0);
}

static char *start(struct jobs *jobs, const char *kind)
{
    struct err err = {0};
    struct job *job = jobs_start(jobs,
                                 &(struct job_request){.kind = kind,
                                                       .title = "Test",
                                                       .vm = "a",
                                                       .by = "me",
                                                       .take_params = cJSON_CreateObject()},
                                 &err);
    cr_assert_not_null(job, "%s", err.msg);
    return xstrdup(job_status(job)->id);
}

static int files_made(void)
{
    int n = 0;
    for (int i = 0; i < N_STEPS; i++) {
        auto_free char *path = step_file(i);
        n += file_exists(path);
    }
    return n;
}

static void set_up(void)
{
    world.fail_at = world.hang_at = world.undo_fails_at = -1;
    STR_SET(world.dir, "/tmp/berth-job-XXXXXX");
    cr_assert_not_null(mkdtemp(world.dir));
    auto_free char *log = xasprintf("%s/log", world.dir);
    (void)log_open(log, LOG_LEVEL_DEBUG, NULL);
}

static void tear_down(void)
{
    log_close();
    (void)file_remove_tree(world.dir, NULL);
}

TestSuite(job, .init = set_up, .fini = tear_down);

/* Runs one job and returns its final status. */
static struct job_status run_job(const char *kind)
{
    uv_loop_t loop;
    struct jobs *jobs = open_jobs(&loop);
    auto_free char *id = start(jobs, kind);
    run_out(&loop, jobs);
    struct job_status status = *jobs_find(jobs, id, NULL);
    close_jobs(&loop, jobs);
    return status;
}

Test(job, applies_its_steps_in_order)
{
    struct job_status status = run_job("test.on");
    cr_assert_eq(status.state, JOB_STATE_DONE);
    cr_assert_str_eq(world.order, "0 1 2");
    cr_assert_eq(files_made(), 3);
    for (size_t i = 0; i < N_STEPS; i++)
        cr_assert_eq(status.steps[i].light, LIGHT_OK);
    cr_assert_neq(status.ended_ms, 0);
}

Test(job, takes_back_in_reverse_what_was_begun_when_a_step_fails)
{
    world.fail_at = 1;
    struct job_status status = run_job("test.on");
    cr_assert_eq(status.state, JOB_STATE_FAILED);
    cr_assert_str_eq(world.order, "0 1 u1 u0");
    cr_assert_eq(files_made(), 0);
    cr_assert_eq(status.error.kind, ERR_NO_SPACE);
    cr_assert_eq(status.steps[0].light, LIGHT_OFF);
    cr_assert_eq(status.steps[1].light, LIGHT_BAD);
    cr_assert_eq(status.steps[2].light, LIGHT_TODO);
}

Test(job, goes_on_taking_back_when_one_undo_fails_and_says_so)
{
    world.fail_at = 2;
    world.undo_fails_at = 1;
    struct job_status status = run_job("test.on");
    cr_assert_str_eq(world.order, "0 1 2 u2 u1 u0");
    cr_assert_not_null(strstr(status.error.msg, "step 2 found no space"));
    cr_assert_not_null(strstr(status.error.msg, "file 1 is stuck"));
}

Test(job, skips_a_step_that_is_already_so_and_does_not_take_it_back)
{
    auto_free char *path = step_file(1);
    cr_assert_eq(file_write(path, "mine", 4, 0600, NULL), 0);
    world.fail_at = 2;
    struct job_status status = run_job("test.on");
    cr_assert_eq(status.state, JOB_STATE_FAILED);
    cr_assert_str_eq(world.order, "0 2 u2 u0");
    cr_assert(file_exists(path));
}

Test(job, a_step_that_passes_its_limit_is_stopped_and_named)
{
    world.hang_at = 1;
    struct job_status status = run_job("test.on");
    cr_assert_eq(status.state, JOB_STATE_FAILED);
    cr_assert_eq(status.error.kind, ERR_TIMEOUT);
    cr_assert_not_null(strstr(status.error.msg, "Make one"));
    cr_assert_eq(files_made(), 0);
}

Test(job, cancel_stops_the_step_at_work_and_takes_everything_back)
{
    uv_loop_t loop;
    struct jobs *jobs = open_jobs(&loop);
    world.hang_at = 0;
    auto_free char *id = start(jobs, "test.on");
    while (!world.applied[0])
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_assert_eq(jobs_cancel(jobs, id, NULL), 0);
    run_out(&loop, jobs);
    const struct job_status *status = jobs_find(jobs, id, NULL);
    cr_assert_eq(status->state, JOB_STATE_CANCELLED);
    cr_assert_eq(files_made(), 0);
    struct err err = {0};
    cr_assert_eq(jobs_cancel(jobs, id, &err), -1);
    cr_assert_eq(err.kind, ERR_INVALID);
    close_jobs(&loop, jobs);
}

Test(job, one_job_at_a_time_holds_a_vm_and_is_named)
{
    uv_loop_t loop;
    struct jobs *jobs = open_jobs(&loop);
    auto_free char *id = start(jobs, "test.on");
    struct err err = {0};
    struct job_request again = {
        .kind = "test.back", .title = "Other", .vm = "a", .take_params = cJSON_CreateObject()};
    cr_assert_null(jobs_start(jobs, &again, &err));
    cr_assert_eq(err.kind, ERR_BUSY);
    cr_assert_not_null(strstr(err.msg, id));
    again.vm = "b";
    again.take_params = cJSON_CreateObject();
    cr_assert_not_null(jobs_start(jobs, &again, &err), "another VM is free");
    run_out(&loop, jobs);
    cr_assert_null(jobs_find(jobs, "999", &err));
    cr_assert_eq(err.kind, ERR_NOT_FOUND);
    close_jobs(&loop, jobs);
}

Test(job, history_survives_the_engine_and_feeds_the_estimate)
{
    struct job_status before = run_job("test.on");
    for (int i = 0; i < N_STEPS; i++)
        cr_assert_eq(unmake_file(i, NULL), 0);
    uv_loop_t loop;
    struct jobs *jobs = open_jobs(&loop);
    jobs_load(jobs);
    const struct job_status *after = jobs_find(jobs, before.id, NULL);
    cr_assert_not_null(after);
    cr_assert_eq(after->state, JOB_STATE_DONE);
    cr_assert_eq(after->n_steps, N_STEPS);
    cr_assert_str_eq(after->by, "me");
    auto_free char *id = start(jobs, "test.on");
    cr_assert_str_neq(id, before.id, "numbers go on");
    struct job_status list[4];
    cr_assert_eq(jobs_list(jobs, list, 4), 2);
    cr_assert_str_eq(list[0].id, id, "the running one comes first");
    run_out(&loop, jobs);
    close_jobs(&loop, jobs);
}

/* An engine in a process of its own: begins a job, or goes on with what it finds. Returns how it
 * ended (137: killed at the point). */
static int engine_run(const char *kind, int crash_at)
{
    fflush(NULL);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        auto_free char *text = xasprintf("%d", crash_at);
        if (crash_at)
            (void)setenv("BERTH_CRASH_AT", text, 1);
        uv_loop_t loop;
        struct jobs *jobs = open_jobs(&loop);
        jobs_load(jobs);
        jobs_resume(jobs);
        if (kind)
            free(start(jobs, kind));
        run_out(&loop, jobs);
        struct job_status last;
        size_t n = jobs_list(jobs, &last, 1);
        _exit(n == 0 ? 9 : (int)last.state);
    }
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Kills the engine at every durable point of a job, then at every one of the engine that goes on:
 * in the end all or nothing is there. */
static void kill_everywhere(const char *kind, int whole)
{
    int points = 0;
    for (int first = 1;; first++) {
        auto_free char *jobs_dir = xasprintf("%s/jobs", world.dir);
        cr_assert_eq(file_remove_tree(jobs_dir, NULL), 0);
        for (int i = 0; i < N_STEPS; i++)
            cr_assert_eq(unmake_file(i, NULL), 0);
        int ended = engine_run(kind, first);
        if (ended != 137)
            break;
        points++;
        (void)engine_run(NULL, 1 + first % 4); /* and once more while it goes on */
        ended = engine_run(NULL, 0);
        int made = files_made();
        cr_assert(made == 0 || made == whole, "killed at %d: %d files are left", first, made);
        cr_assert(ended != JOB_STATE_RUNNING && ended != JOB_STATE_UNDOING,
                  "killed at %d: still at work", first);
        cr_assert_eq(made == N_STEPS, ended == JOB_STATE_DONE, "killed at %d: state and disk agree",
                     first);
    }
    cr_assert_geq(points, 2 + 4 * N_STEPS, "the crash points were there (%d)", points);
}

Test(job, killed_at_any_point_goes_on_where_the_kind_does)
{
    kill_everywhere("test.on", N_STEPS);
}

Test(job, killed_at_any_point_is_undone_where_the_kind_does_not_go_on)
{
    kill_everywhere("test.back", N_STEPS);
}

Test(job, killed_while_it_is_undone_finishes_to_undo)
{
    world.fail_at = 2;
    kill_everywhere("test.on", 0);
}

Test(journal, ignores_a_torn_last_line_and_refuses_foreign_text)
{
    static const char text[] =
        "{\"journal\":1,\"id\":\"3\",\"kind\":\"k\",\"params\":{\"a\":1}}\n"
        "{\"mark\":\"begin\",\"step\":\"One\"}\n{\"mark\":\"end\",\"step\":\"One\",\"took\":5}\n"
        "{\"mark\":\"of a newer one\"}\n{\"mark\":\"begin\",\"step\":\"Two\"}\n{\"mark\":\"en";
    auto_replay struct journal_replay r = {0};
    cr_assert_eq(journal_parse(text, sizeof(text) - 1, &r, NULL), 0);
    uint64_t took = 0;
    cr_assert_eq(journal_progress_of(&r, "One", &took), JOURNAL_STEP_ENDED);
    cr_assert_eq(took, 5);
    cr_assert_eq(journal_progress_of(&r, "Two", &took), JOURNAL_STEP_BEGUN);
    cr_assert_eq(journal_progress_of(&r, "Three", &took), JOURNAL_STEP_NONE);
    cr_assert_not_null(r.head.params);
    cr_assert_not(r.closed);

    static const char *const bad[] = {"",
                                      "x\n",
                                      "{}\n",
                                      "{\"journal\":99,\"id\":\"1\",\"kind\":\"k\"}\n",
                                      "{\"journal\":1}\n",
                                      "{\"journal\":1,\"id\":\"1\",\"kind\":\"k\"}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct journal_replay none = {0};
        cr_assert_eq(journal_parse(bad[i], strlen(bad[i]), &none, NULL), -1, "%s", bad[i]);
    }
}

/* What is ERR_PROTOCOL is removed at the next start; another version's unfinished job must not be.
 */
Test(journal, tells_another_version_from_rubbish)
{
    static const char newer[] = "{\"journal\":99,\"id\":\"1\",\"kind\":\"vm.create\"}\n";
    static const char rubbish[] = "{\"id\":\"1\",\"kind\":\"vm.create\"}\n";
    struct journal_replay r = {0};
    struct err err = {0};
    cr_assert_eq(journal_parse(newer, sizeof(newer) - 1, &r, &err), -1);
    cr_assert_eq(err.kind, ERR_UNSUPPORTED);
    cr_assert_eq(journal_parse(rubbish, sizeof(rubbish) - 1, &r, &err), -1);
    cr_assert_eq(err.kind, ERR_PROTOCOL);
}
