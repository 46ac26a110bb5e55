#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/edge.h"
#include "vm/guest/hub/edge_router.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static char dir[40];
static uv_loop_t loop;
static struct edge_settings *settings;
static struct edge *edge;

static void on_ready(void *arg, const struct err *err)
{
    (void)arg, (void)err;
}

static void setup(void)
{
    struct err err = {0};

    (void)str_format(dir, sizeof(dir), "/tmp/berth-edge-turn-XXXXXX");
    cr_assert(mkdtemp(dir));

    auto_free char *text =
        xasprintf("{\"hub\":\"hub.example\",\"device\":\"d\",\"hostname\":\"gateway\","
                  "\"workload\":\"%s/none.sock\",\"socket\":\"%s/hub.sock\","
                  "\"listen\":[\"127.0.0.1\"],\"mqttListenPort\":0,\"httpsListenPort\":0}",
                  dir, dir);

    cr_assert_eq(edge_settings_parse(text, strlen(text), dir, &settings, &err), 0, "%s", err.msg);
    (void)uv_loop_init(&loop);
    cr_assert_eq(edge_open(&loop, settings, on_ready, NULL, &edge, &err), 0, "%s", err.msg);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
}

static void teardown(void)
{
    edge_close(edge);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    edge_settings_free(settings);
    (void)file_remove_tree(dir, NULL);
}

TestSuite(edge_turn, .init = setup, .fini = teardown);

/* As on a full disk. */
static void allow_writes(bool yes)
{
    struct rlimit limit;

    (void)getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = yes ? limit.rlim_max : 0;
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)setrlimit(RLIMIT_FSIZE, &limit);
}

static void take_message(void)
{
    const struct edge_message m = {.kind = EDGE_TELEMETRY,
                                   .device = "d",
                                   .module = "m",
                                   .output = "",
                                   .model = "",
                                   .bag = "",
                                   .body = "x",
                                   .len = 1,
                                   .created_ms = clock_wall_ms()};
    struct err err = {0};

    cr_assert_eq(edge_router_take(edge->router, &m, &err), 0, "%s", err.msg);
}

/* Each server asks before it sends: the one that asks after the failure has PUBACKs for messages
 * that are not there, however long the turn takes and whatever sets timers in it. */
Test(edge_turn, all_hear_of_a_failed_commit)
{
    take_message();
    allow_writes(false);
    cr_assert_not(edge_commit(edge));
    allow_writes(true);
    uv_sleep(3);
    uv_update_time(&loop);
    cr_assert_not(edge_commit(edge));
}

Test(edge_turn, the_next_turn_begins_anew)
{
    take_message();
    allow_writes(false);
    cr_assert_not(edge_commit(edge));
    allow_writes(true);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    take_message();
    cr_assert(edge_commit(edge));
}
