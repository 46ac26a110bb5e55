/* The iotedge command: what it writes and what it asks for. */
#include "core/base/str.h"
#include "vm/guest/iotedge/check.h"
#include "vm/guest/iotedge/configure.h"
#include "vm/guest/iotedge/module_logs.h"
#include "vm/guest/iotedge/modules.h"
#include "vm/guest/iotedge/say.h"
#include "vm/guest/iotedge/support.h"

#include <criterion/criterion.h>
#include <string.h>

#define NOW_MS 1795269600000ULL /* 2026-11-21T14:00:00Z */

static void described(const char *status, const char *want)
{
    auto_buf struct buf text = {0}, out = {0};
    buf_printf(&text, "{\"status\":%s}", status);
    auto_json cJSON *module = json_parse(buf_str(&text), text.len, NULL);
    cr_assert_not_null(module, "%s", status);
    modules_describe(module, NOW_MS, &out);
    cr_expect_str_eq(buf_str(&out), want, "%s: \"%s\"", status, buf_str(&out));
}

Test(modules, are_described_as_people_say_it)
{
    described("{\"startTime\":\"2026-11-21T13:57:00Z\",\"runtimeStatus\":{\"status\":\"running\"}}",
              "Up 3 minutes");
    described("{\"startTime\":\"2026-11-21T13:59:59Z\",\"runtimeStatus\":{\"status\":\"running\"}}",
              "Up less than a minute");
    described("{\"startTime\":\"2027-01-01T00:00:00Z\",\"runtimeStatus\":{\"status\":\"running\"}}",
              "Up less than a minute");
    described("{\"exitStatus\":{\"exitTime\":\"2026-11-21T11:30:00Z\",\"statusCode\":\"0\"},"
              "\"runtimeStatus\":{\"status\":\"stopped\"}}",
              "Stopped 2 hours ago");
    described("{\"exitStatus\":{\"exitTime\":\"2026-11-21T13:59:00Z\",\"statusCode\":\"137\"},"
              "\"runtimeStatus\":{\"status\":\"failed\"}}",
              "Failed (137) a minute ago");
    described("{\"runtimeStatus\":{\"status\":\"failed\"}}", "Failed");
    described("{\"runtimeStatus\":{\"status\":\"\"}}", "");
    described("{}", "Unknown");
    described("7", "Unknown");
}

Test(modules, are_sorted_and_those_without_a_name_left_out)
{
    static const char text[] = "{\"modules\":[{\"name\":\"b\"},{\"name\":7},{},{\"name\":\"a\"}]}";
    const cJSON *sorted[4];
    auto_json cJSON *json = json_parse(text, strlen(text), NULL);
    cr_assert_eq(modules_sorted(json, sorted, 4), 2);
    cr_assert_str_eq(json_str(sorted[0], "name", ""), "a");
    cr_assert_eq(modules_sorted(json, sorted, 1), 1, "no more than there is room for");
    cr_assert_eq(modules_sorted(NULL, sorted, 4), 0);
}

Test(say, wraps_at_the_last_column)
{
    auto_buf struct buf text = {0}, out = {0};
    for (int i = 0; i < 40; i++)
        buf_puts(&text, "word ");
    buf_puts(&out, "     ");
    say_wrap(&out, 5, buf_str(&text));
    for (const char *line = buf_str(&out); line; line = strchr(line, '\n')) {
        line += *line == '\n';
        cr_assert_leq(strcspn(line, "\n"), SAY_COLUMNS);
        cr_assert(str_starts(line, "     word"), "%s", line);
    }
}

Test(say, a_long_word_stays_whole)
{
    auto_buf struct buf out = {0};
    static const char word[] = "unix:///a/very/long/path/that/does/not/fit/into/eighty/columns/"
                               "whatever/is/done/with/it.sock";
    auto_buf struct buf text = {0};
    buf_printf(&text, "at %s now", word);
    say_wrap(&out, 0, buf_str(&text));
    cr_assert_not_null(strstr(buf_str(&out), word));
}

Test(say, tables_line_up_and_foreign_text_is_harmless)
{
    auto_buf struct buf out = {0};
    auto_say_table struct say_table table = {0};
    say_table_add(&table, "NAME", "STATUS", "Config", NULL);
    say_table_add(&table, "m\xc3\xbcller", "a\033[2J", "x", NULL);
    say_table_print(&table, &out);
    cr_assert_str_eq(buf_str(&out), "NAME     STATUS   Config\n"
                                    "m\xc3\xbcller   a^[[2J   x\n");
}

Test(module_logs, ask_with_what_was_said)
{
    auto_buf struct buf out = {0};
    const struct module_logs q = {.module = "a/b c", .tail = "5", .since = "1 day", .follow = true};
    cr_assert_eq(module_logs_check(&q, NULL), 0);
    module_logs_target(&q, &out);
    cr_assert_str_eq(buf_str(&out), "/modules/a%2Fb%20c/logs?api-version=2022-08-03&follow=true&"
                                    "tail=5&since=1%20day");
}

Test(module_logs, refuse_what_the_runtime_would)
{
    static const struct module_logs bad[] = {
        {.module = "m", .tail = "-1", .since = "1 day"},
        {.module = "m", .tail = "all", .since = "yesterday"},
        {.module = "m", .tail = "all", .since = "1 day", .until = ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        cr_expect_lt(module_logs_check(&bad[i], &err), 0);
        cr_expect_eq(err.kind, ERR_INVALID);
    }
}

Test(configure, writes_what_the_runtime_reads)
{
    static const char string[] =
        "HostName=h.azure-devices.net;DeviceId=it's-1;SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAA==\n";
    auto_buf struct buf out = {0};
    struct err err = {0};
    auto_config struct config config = {0};
    cr_assert_eq(configure_write(string, strlen(string), &out, &err), 0, "%s", err.msg);
    cr_assert_eq(config_parse(buf_str(&out), out.len, &config, &err), 0, "%s", err.msg);
    cr_assert_str_eq(config.provisioning.device_id, "it's-1");
    cr_assert_eq(config.reprovisioning, CONFIG_ON_ERROR_ONLY);
}

Test(configure, refuses_without_showing_the_secret)
{
    static const char *const bad[] = {
        "",
        "c2VjcmV0",
        "HostName=h;DeviceId=d;SharedAccessKey=c2VjcmV0!",
        "HostName=h;DeviceId=d\";SharedAccessKey=c2VjcmV0",
        "HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey=c2VjcmV0",
        "HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=c2VjcmV0",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        auto_buf struct buf out = {0};
        struct err err = {0};
        cr_expect_lt(configure_write(bad[i], strlen(bad[i]), &out, &err), 0, "%s", bad[i]);
        cr_expect_null(strstr(err.msg, "c2VjcmV0"), "%s", err.msg);
    }
}

Test(support, entries_stay_in_their_folder)
{
    char name[64];
    support_entry("logs/", "../../etc/x y", ".txt", name, sizeof(name));
    cr_assert_str_eq(name, "logs/_._.._etc_x_y.txt");
    support_entry("logs/", "$edgeHub", ".txt", name, sizeof(name));
    cr_assert_str_eq(name, "logs/$edgeHub.txt");
}

static const struct check one = {"x-id", "all is well", CHECK_CONFIGURATION, NULL};

Test(check, says_what_was_found_and_what_to_do)
{
    auto_buf struct buf out = {0};
    struct check_finding f = {0};
    check_good(&f, "at %d", 7);
    check_line(&one, &f, false, &out);
    check_bad(&f, "broken\033");
    check_hint(&f, "mend it");
    check_line(&one, &f, false, &out);
    cr_assert_str_eq(buf_str(&out), "[OK] x-id: all is well\n"
                                    "[X]  x-id\n     broken^[\n     Next: mend it\n");
}

/* Nobody answers anywhere, and there is no file. */
static void gather_nothing(struct check_facts *facts)
{
    static const struct iotedge o = {.host = "/nonexistent/mgmt.sock",
                                     .config = "/nonexistent/config.toml",
                                     .engine = "/nonexistent/docker.sock",
                                     .state_dir = "/nonexistent"};
    static const struct check_options options = {.https_port = 443, .dont_run = "a,hostname b"};
    check_facts_gather(&o, &options, facts);
}

Test(check, each_gives_a_verdict_where_nothing_is_there)
{
    struct check_facts facts;
    struct check_finding *findings = calloc(check_table_n, sizeof(*findings));
    gather_nothing(&facts);
    check_run(&facts, findings, NULL, NULL);
    for (size_t i = 0; i < check_table_n; i++)
        cr_expect(findings[i].said.msg[0], "%s says nothing", check_table[i].id);
    cr_assert(check_failed(findings, false));
    auto_json cJSON *json = check_json(&facts, findings);
    const cJSON *checks = json_get(json, "checks");
    const cJSON *config = json_get(json_get(checks, "aziot-edged-config-well-formed"), "result");
    cr_assert_str_eq(json_str(config, "result", ""), "error");
    cr_assert_eq(cJSON_GetArraySize(json_get(config, "details")), 2, "what happened, what to do");
    const cJSON *skipped = json_get(json_get(checks, "hostname"), "result");
    cr_assert_str_eq(json_str(skipped, "result", ""), "skipped");
    cr_assert_null(json_get(skipped, "details"));
    cr_assert(cJSON_IsNull(json_get(json_get(json, "additional_info"), "docker_version")));
    check_facts_done(&facts);
    free(findings);
}
