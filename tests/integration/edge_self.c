/* The edge hub as $edgeHub: its configuration from the cloud, and what it reports of itself. */
#include "core/base/version.h"
#include "tests/support/edge_neighbours.h"

#define SELF   "edge.1/$edgeHub"
#define CONFIG "\"schemaVersion\":\"1.1\",\"storeAndForwardConfiguration\":{\"timeToLiveSecs\":60}"
#define GOOD   CONFIG ",\"routes\":{\"r\":\"FROM /* INTO $upstream\"}"
#define BAD    CONFIG ",\"routes\":{\"r\":\"FROM /* INTO nowhere\"}"
#define VERSION                                                           \
    "\"schemaVersion\":\"1.0\",\"version\":{\"version\":\"" BERTH_VERSION \
    "\",\"build\":\"\",\"commit\":\"\"}"
#define STATUS(version) \
    "\"lastDesiredVersion\":" version ",\"lastDesiredStatus\":{\"code\":200,\"description\":\"\"}"
#define TWIN(desired, reported) \
    "{\"desired\":{" desired "},\"reported\":{" reported "\"$version\":1}}"

static void desired(uint64_t version, const char *patch)
{
    edge_self_desired(world.edge.self, version, patch, strlen(patch));
}

static void come(const char *module)
{
    world.rows[world.n_rows++] = (struct edge_report_row){module, true, 1764000000000, 0};
    edge_self_clients_changed(world.edge.self);
}

static bool is_called(void)
{
    return world.calls != NULL;
}

static bool configured(const char *text)
{
    bool same = str_eq(buf_str(&world.configs), text);

    buf_clear(&world.configs);
    return same;
}

static bool is_patch_with(const char *part)
{
    return world.calls && world.calls->patch && strstr(world.calls->patch, part);
}

static void test_start(void)
{
    come("early");
    (void)uv_run(&world.loop, UV_RUN_NOWAIT);
    report("without the cloud nothing is asked nor reported", !world.calls && configured(""));
    world.online = true;
    edge_self_online(world.edge.self);
    report("when it is there, its twin is read", is_call(SELF, NULL));
    answer(
        200, 0,
        TWIN(GOOD ",\"$version\":3", "\"clients\":{\"edge%2E1/old\":{\"status\":\"Connected\"}},"));
    report("the configuration is put in force", configured("{" GOOD ",\"$version\":3}\n"));
    report("what it is and who is here is reported, who was here before is not",
           is_call(SELF, "{" VERSION "," STATUS(
                             "3") ",\"clients\":{\"edge%2E1/old\":null,"
                                  "\"edge%2E1/early\":{\"status\":\"Connected\","
                                  "\"lastConnectedTimeUtc\":\"2025-11-24T16:00:00.000Z\"}}}"));
    answer(204, 2, "");
    report("once", !world.calls);
}

static void test_desired(void)
{
    desired(4, "{\"routes\":{\"s\":\"FROM /messages/* INTO $upstream\"},\"$version\":4}");
    report("a change is put in force",
           configured("{" CONFIG ",\"routes\":{\"r\":\"FROM /* INTO $upstream\",\"s\":\"FROM "
                      "/messages/* INTO $upstream\"},\"$version\":4}\n"));
    report("and reported by its number alone",
           wait_until(is_called) && is_call(SELF, "{\"lastDesiredVersion\":4}"));
    answer(204, 3, "");
    desired(5, "{\"routes\":{\"s\":\"FROM /messages/* INTO nowhere\"},\"$version\":5}");
    report("a bad one is not put in force", configured(""));
    report("it is reported, and what is wrong with it",
           wait_until(is_called) && is_patch_with("\"lastDesiredVersion\":5") &&
               is_patch_with("{\"code\":400,\"description\":\"route s: "));
    answer(204, 4, "");
    desired(7, "{\"routes\":{\"s\":null},\"$version\":7}");
    report("where a change was missed, the twin is read again",
           wait_until(is_called) && is_call(SELF, NULL));
    desired(8, "{\"routes\":{\"t\":null},\"$version\":8}");
    answer(200, 0, TWIN(BAD ",\"$version\":7", ""));
    report("and again where the answer is old", wait_until(is_called) && is_call(SELF, NULL));
    answer(200, 0,
           TWIN(GOOD ",\"$version\":8",
                VERSION "," STATUS("8") ",\"clients\":{\"edge%2E1/early\":{"
                                        "\"status\":\"Connected\",\"lastConnectedTimeUtc\":\"2025-"
                                        "11-24T16:00:00.000Z\"}},"));
    report("a good one puts things right", configured("{" GOOD ",\"$version\":8}\n"));
    report("what the cloud knows is not reported again", !world.calls);
}

static bool is_second_over(void)
{
    static uint64_t began;

    if (began == 0)
        began = clock_mono_ms();
    return clock_mono_ms() - began > 1000;
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void test_clients(void)
{
    static char names[20][8];
    static uv_timer_t tick;

    (void)uv_timer_init(&world.loop, &tick);
    (void)uv_timer_start(&tick, on_tick, 100, 100);
    (void)wait_until(is_second_over);
    uv_close((uv_handle_t *)&tick, NULL);
    for (int i = 0; i < 20; i++) {
        (void)str_format(names[i], sizeof(names[i]), "m%d", i);
        come(names[i]);
    }
    report("who comes is reported at once",
           is_patch_with("edge%2E1/m0") && !is_patch_with("edge%2E1/m1"));
    answer(204, 5, "");
    report("others wait a second for company", !world.calls);
    report("and come together", wait_until(is_called) && is_patch_with("edge%2E1/m1\"") &&
                                    is_patch_with("edge%2E1/m19") &&
                                    !is_patch_with("edge%2E1/m0\""));
    answer(400, 0, "");
    report("a report that the cloud does not take is not repeated at once", !world.calls);
    edge_self_online(world.edge.self);
    report("after a connection that broke, the twin is read first", is_call(SELF, NULL));
    answer(200, 0, TWIN(GOOD ",\"$version\":8", VERSION "," STATUS("8") ","));
    report("then all is reported that is not there",
           configured("") && is_patch_with("edge%2E1/early") && is_patch_with("edge%2E1/m19"));
    answer(204, 6, "");
}

static void test_empty(void)
{
    edge_self_online(world.edge.self);
    answer(200, 0, TWIN("\"$version\":9", ""));
    report("a device to which nothing was deployed is not in error",
           configured("") && is_patch_with("\"code\":200,\"description\":\"nothing was deployed"));
    answer(204, 7, "");
}

static void test_end(void)
{
    edge_self_free(world.edge.self);
    world.edge.self = NULL;
    report("at the end all are reported as gone", is_patch_with("edge%2E1/m19") &&
                                                      is_patch_with("Disconnected") &&
                                                      !is_patch_with("\"Connected\""));
    answer(204, 8, "");
    edge_self_free(edge_self_new(&world.edge));
    report("but nobody by a hub that never heard of the cloud", !world.calls);
}

int main(void)
{
    open_world();
    world.online = false;
    world.edge.self = edge_self_new(&world.edge);
    test_start();
    test_desired();
    test_clients();
    test_empty();
    test_end();
    close_world();
    return world.failures > 0;
}
