/* What the agent does about containers: states, restart policy and back-off, the plan. */
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/plan.h"

#include <criterion/criterion.h>
#include <string.h>

#define NOW     1000000000ULL
#define YEAR_MS (365ULL * 86400 * 1000)

static struct container parse(const char *state)
{
    struct err err = {0};
    struct container c = {0};
    char *text = xasprintf("{\"Id\":\"i\",\"Name\":\"/"
                           "m1\",\"Image\":\"sha256:1\",\"State\":{%s},\"Config\":{\"Labels\":{"
                           "\"net.azure-devices.edge.owner\":"
                           "\"Microsoft.Azure.Devices.Edge.Agent\",\"net.azure-devices.edge."
                           "original-image\":\"a:1\",\"berth.spec\":\"h1\"}}}",
                           state);
    auto_json cJSON *json = json_parse(text, strlen(text), &err);
    cr_assert_not_null(json, "%s", err.msg);
    cr_assert_eq(container_parse(json, &c, &err), 0, "%s", err.msg);
    free(text);
    return c;
}

Test(container, maps_engine_states)
{
    static const struct {
        const char *state;
        enum module_status status;
    } cases[] = {
        {"\"Status\":\"created\",\"ExitCode\":0,\"FinishedAt\":\"0001-01-01T00:00:00Z\"",
         STATUS_STOPPED},
        {"\"Status\":\"configured\"", STATUS_STOPPED},
        {"\"Status\":\"running\",\"StartedAt\":\"2026-11-21T23:00:00Z\"", STATUS_RUNNING},
        {"\"Status\":\"paused\"", STATUS_STOPPED},
        {"\"Status\":\"exited\",\"ExitCode\":0,\"FinishedAt\":\"2026-11-21T23:00:00Z\"",
         STATUS_STOPPED},
        {"\"Status\":\"exited\",\"ExitCode\":137,\"FinishedAt\":\"2026-11-21T23:00:00.5Z\"",
         STATUS_FAILED},
        {"\"Status\":\"dead\"", STATUS_DEAD},
        {"\"Status\":\"weird\"", STATUS_UNKNOWN},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct container c = parse(cases[i].state);
        cr_expect_eq(container_status(&c), cases[i].status, "%s", cases[i].state);
        cr_expect(c.owned);
        container_done(&c);
    }
}

Test(container, keeps_the_exit_of_a_running_one)
{
    struct container c = parse("\"Status\":\"running\",\"ExitCode\":3,\"StartedAt\":\"2026-11-"
                               "21T23:00:10Z\",\"FinishedAt\":\"2026-11-21T23:00:00Z\"");
    cr_assert(c.ended);
    cr_assert_eq(c.exit_code, 3);
    container_done(&c);
    c = parse("\"Status\":\"created\",\"ExitCode\":0,\"FinishedAt\":\"0001-01-01T00:00:00Z\"");
    cr_assert_not(c.ended);
    container_done(&c);
}

Test(restart, doubles_up_to_five_minutes)
{
    static const uint64_t seconds[] = {10, 20, 40, 80, 160, 300, 300};
    for (uint32_t i = 0; i < ARRAY_LEN(seconds); i++)
        cr_assert_eq(restart_delay_ms(i), seconds[i] * 1000);
    cr_assert_eq(restart_delay_ms(4000000000U), 300000);
}

static struct restart_verdict decide(enum restart_policy policy, bool running,
                                     enum container_state state, int code, uint32_t count)
{
    struct module_spec spec = {.running = running, .restart = policy};
    struct container c = {.state = state,
                          .exit_code = code,
                          .ended = true,
                          .started_ms = NOW - 60000,
                          .finished_ms = NOW - 30000};
    struct restart_track track = {.count = count};
    return restart_decide(&spec, &c, &track, NOW);
}

Test(restart, follows_the_policy)
{
    struct restart_verdict v = decide(RESTART_ALWAYS, true, CONTAINER_EXITED, 0, 2);
    cr_assert_eq(v.status, STATUS_BACKOFF);
    cr_assert_eq(v.step, RESTART_STEP_AGAIN);
    cr_assert_eq(v.at_ms, NOW - 30000 + 40000);

    v = decide(RESTART_ON_FAILURE, true, CONTAINER_EXITED, 1, 0);
    cr_assert_eq(v.step, RESTART_STEP_AGAIN);
    v = decide(RESTART_ON_FAILURE, true, CONTAINER_EXITED, 0, 0);
    cr_assert_eq(v.status, STATUS_STOPPED);
    cr_assert_eq(v.step, RESTART_STEP_START);
    v = decide(RESTART_NEVER, true, CONTAINER_EXITED, 1, 0);
    cr_assert_eq(v.status, STATUS_FAILED);
    cr_assert_eq(v.step, RESTART_STEP_NONE);
    v = decide(RESTART_NEVER, true, CONTAINER_EXITED, 0, 0);
    cr_assert_eq(v.step, RESTART_STEP_NONE);

    v = decide(RESTART_ALWAYS, true, CONTAINER_EXITED, 1, RESTART_MAX);
    cr_assert_eq(v.status, STATUS_FAILED);
    cr_assert_eq(v.step, RESTART_STEP_NONE);

    v = decide(RESTART_ALWAYS, false, CONTAINER_RUNNING, 0, 0);
    cr_assert_eq(v.step, RESTART_STEP_STOP);
    v = decide(RESTART_ALWAYS, false, CONTAINER_EXITED, 1, 0);
    cr_assert_eq(v.step, RESTART_STEP_NONE);
}

Test(restart, starts_a_new_container_whatever_the_policy)
{
    struct module_spec spec = {.running = true, .restart = RESTART_NEVER};
    struct container c = {.state = CONTAINER_CREATED};
    struct restart_track track = {0};
    struct restart_verdict v = restart_decide(&spec, &c, &track, NOW);
    cr_assert_eq(v.step, RESTART_STEP_START);
    cr_assert_eq(v.at_ms, 0);
}

Test(restart, forgets_after_ten_minutes_and_survives_a_clock_set_back)
{
    struct module_spec spec = {.running = true, .restart = RESTART_ALWAYS};
    struct container c = {.state = CONTAINER_RUNNING, .started_ms = NOW - RESTART_STEADY_MS - 1};
    struct restart_track track = {.count = 5};
    cr_assert(restart_decide(&spec, &c, &track, NOW).steady);
    c.started_ms = NOW - 1000;
    cr_assert_not(restart_decide(&spec, &c, &track, NOW).steady);

    c = (struct container){
        .state = CONTAINER_EXITED, .started_ms = NOW, .finished_ms = NOW + 1000000000ULL};
    track.count = 0;
    for (uint64_t now = NOW; now < NOW + 20000; now += 10000) {
        cr_assert_eq(restart_decide(&spec, &c, &track, now).step, RESTART_STEP_AGAIN);
        cr_assert_leq(restart_decide(&spec, &c, &track, now).at_ms, NOW + 10000);
    }
    c.state = CONTAINER_RUNNING;
    c.started_ms = NOW + YEAR_MS;
    track.count = 5;
    cr_assert(restart_decide(&spec, &c, &track, NOW).steady, "it never would be");
}

static struct module_spec spec(const char *name, const char *hash, uint32_t order)
{
    struct module_spec s = {.running = true, .restart = RESTART_ALWAYS, .startup_order = order};
    STR_SET(s.name, name);
    STR_SET(s.hash, hash);
    return s;
}

static struct container container(const char *name, const char *hash, enum container_state state)
{
    struct container c = {.state = state, .owned = true, .started_ms = NOW - 1000};
    STR_SET(c.name, name);
    STR_SET(c.hash, hash);
    return c;
}

Test(plan, creates_updates_removes_and_leaves_alone)
{
    struct module_spec specs[] = {spec("added", "a", 1), spec("changed", "b2", 2),
                                  spec("dead", "c", 3), spec("same", "d", 4)};
    struct deployment d = {.modules = specs, .n_modules = ARRAY_LEN(specs)};
    struct container list[] = {
        container("changed", "b1", CONTAINER_RUNNING), container("dead", "c", CONTAINER_DEAD),
        container("same", "d", CONTAINER_RUNNING), container("old", "e", CONTAINER_RUNNING)};
    struct plan plan;
    plan_make(&d, list, ARRAY_LEN(list), NULL, 0, NOW, &plan);
    static const struct {
        const char *name;
        enum plan_kind kind;
    } want[] = {{"old", PLAN_REMOVE},
                {"added", PLAN_CREATE},
                {"changed", PLAN_UPDATE},
                {"dead", PLAN_REMOVE}};
    cr_assert_eq(plan.n, ARRAY_LEN(want));
    for (size_t i = 0; i < plan.n; i++) {
        cr_expect_str_eq(plan.items[i].name, want[i].name);
        cr_expect_eq(plan.items[i].kind, want[i].kind);
    }
}

Test(plan, waits_for_back_off_and_retries)
{
    struct module_spec specs[] = {spec("busy", "a", 1), spec("failed", "b", 1),
                                  spec("exited", "c", 1)};
    struct deployment d = {.modules = specs, .n_modules = ARRAY_LEN(specs)};
    struct container list[] = {container("exited", "c", CONTAINER_EXITED)};
    list[0].finished_ms = NOW - 4000;
    struct module_track tracks[] = {{.name = "busy", .busy = true},
                                    {.name = "failed", .retry_ms = NOW + 7000},
                                    {.name = "exited"}};
    struct plan plan;
    plan_make(&d, list, 1, tracks, ARRAY_LEN(tracks), NOW, &plan);
    cr_assert_eq(plan.n, 0);
    cr_assert_eq(plan.wake_ms, NOW + 6000);
    plan_make(&d, list, 1, tracks, ARRAY_LEN(tracks), NOW + 7000, &plan);
    cr_assert_eq(plan.n, 2);
    cr_assert_eq(plan.items[0].kind, PLAN_CREATE);
    cr_assert_eq(plan.items[1].kind, PLAN_RESTART);

    tracks[1].retry_ms = NOW + YEAR_MS; /* the clock was set back */
    plan_make(&d, list, 1, tracks, ARRAY_LEN(tracks), NOW, &plan);
    cr_assert_eq(plan.n, 1);
    cr_assert_str_eq(plan.items[0].name, "failed");
}

Test(plan, leaves_a_module_alone_while_somebody_else_acts_on_it)
{
    struct module_spec spec = {.running = true, .restart = RESTART_ALWAYS};
    STR_SET(spec.name, "m1");
    STR_SET(spec.hash, "h1");
    struct deployment d = {.modules = &spec, .n_modules = 1};
    struct container stopped = {.state = CONTAINER_EXITED, .owned = true, .started_ms = 1};
    STR_SET(stopped.name, "m1");
    STR_SET(stopped.hash, "h1");
    struct module_track track = {.holds = 1};
    STR_SET(track.name, "m1");
    struct plan plan;
    plan_make(&d, &stopped, 1, &track, 1, NOW, &plan);
    cr_assert_eq(plan.n, 0);
    track.holds = 0;
    plan_make(&d, &stopped, 1, &track, 1, NOW, &plan);
    cr_assert_eq(plan.n, 1);
}

Test(restart, counts_from_the_start_while_the_engine_tells_no_end)
{
    struct module_spec spec = {.running = true, .restart = RESTART_ALWAYS};
    struct container c = {.state = CONTAINER_EXITED, .started_ms = NOW - 1000};
    struct restart_track track = {.count = 1};
    struct restart_verdict v = restart_decide(&spec, &c, &track, NOW);
    cr_assert_eq(v.at_ms, NOW - 1000 + 20000);
}
