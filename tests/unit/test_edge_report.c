#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "vm/guest/hub/edge_report.h"
#include "vm/guest/hub/twin_json.h"

#include <criterion/criterion.h>
#include <string.h>

static void expect(const cJSON *value, const char *text)
{
    auto_buf struct buf printed = {0};

    json_print(&printed, value);
    cr_expect_str_eq(printed.data, text);
}

Test(edge_report, says_what_became_of_the_desired_properties)
{
    auto_json cJSON *report = edge_report_new(&(struct edge_report){7, 400, "route r: no"});
    auto_json cJSON *early = edge_report_new(&(struct edge_report){0, 0, ""});

    expect(report, "{\"schemaVersion\":\"1.0\",\"version\":{\"version\":\"" BERTH_VERSION
                   "\",\"build\":\"\",\"commit\":\"\"},\"lastDesiredVersion\":7,"
                   "\"lastDesiredStatus\":{\"code\":400,\"description\":\"route r: no\"}}");
    expect(early, "{\"schemaVersion\":\"1.0\",\"version\":{\"version\":\"" BERTH_VERSION
                  "\",\"build\":\"\",\"commit\":\"\"}}");
}

Test(edge_report, names_clients_as_twins_allow)
{
    auto_free char *module = edge_report_key("my.edge", "a b$c%");
    auto_free char *leaf = edge_report_key("leaf-1", "");

    cr_expect_str_eq(module, "my%2Eedge/a%20b%24c%");
    cr_expect_str_eq(leaf, "leaf-1");
}

Test(edge_report, tells_who_is_here_and_since_when)
{
    char gone[] = "d/gone", here[] = "d/here";
    struct edge_report_client clients[] = {
        {gone, false, 1764000000000, 1764000100000},
        {here, true, 1764000000000, 0},
    };
    auto_json cJSON *report = cJSON_CreateObject();

    edge_report_clients(report, clients, ARRAY_LEN(clients));
    expect(report, "{\"clients\":{\"d/here\":{\"status\":\"Connected\","
                   "\"lastConnectedTimeUtc\":\"2025-11-24T16:00:00.000Z\"},"
                   "\"d/gone\":{\"status\":\"Disconnected\","
                   "\"lastConnectedTimeUtc\":\"2025-11-24T16:00:00.000Z\","
                   "\"lastDisconnectedTimeUtc\":\"2025-11-24T16:01:40.000Z\"}}}");
}

Test(edge_report, fits_into_a_twin_however_many_there_are)
{
    static struct edge_report_client clients[1000];
    static char keys[1000][40];
    auto_json cJSON *report = edge_report_new(&(struct edge_report){7, 200, ""});

    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        (void)str_format(keys[i], sizeof(keys[i]), "edge-device/module-%zu", i);
        clients[i] = (struct edge_report_client){keys[i], i == 999, 1764000000000 + i,
                                                 1764000000000 + 2 * i};
    }
    edge_report_clients(report, clients, ARRAY_LEN(clients));
    cr_expect_leq(twin_json_size(report), TWIN_SECTION_MAX);

    const cJSON *shown = json_get(report, "clients");

    cr_expect_geq(cJSON_GetArraySize(shown), 150);
    cr_expect(json_get(shown, "edge-device/module-999"), "who is here comes first");
    cr_expect(json_get(shown, "edge-device/module-998"), "then who left last");
    cr_expect_not(json_get(shown, "edge-device/module-0"));
}
