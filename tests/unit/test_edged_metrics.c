#include "core/base/str.h"
#include "logs/prometheus.h"
#include "vm/guest/edged/agent_metrics.h"
#include "vm/guest/edged/availability.h"
#include "vm/guest/edged/container_stats.h"
#include "vm/guest/edged/network.h"
#include "vm/guest/edged/sysinfo.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------- names and text */

static void expect_text(struct meters *m, const char *text)
{
    auto_buf struct buf out = {0};
    meters_render(m, 1000, &out);
    cr_expect(strstr(buf_str(&out), text), "no %s in %s", text, buf_str(&out));
}

static void ignore(void *arg, const struct prometheus_sample *sample)
{
    (void)arg, (void)sample;
}

Test(agent_metrics, are_all_readable)
{
    struct meters *m = agent_metrics_new();
    auto_buf struct buf out = {0};
    const char *const labels[] = {"a\"b\\", "\n\x1b[2J", "{\"os\":\"x\"}"};
    for (int i = 0; i < AGENT_METRIC_COUNT; i++)
        (void)meters_get(m, (size_t)i, labels);
    meters_render(m, 0, &out);
    struct prometheus_report report = prometheus_parse(out.data, out.len, ignore, NULL);
    cr_expect_eq(report.wrong, 0, "%s", report.first.msg);
    cr_expect_eq(report.samples, AGENT_METRIC_COUNT - 3 + 3 * 6);
    cr_expect_null(strchr(buf_str(&out), '\x1b'));
    meters_free(m);
}

Test(agent_metrics, say_whose_they_are_under_the_known_names)
{
    struct meters *m = agent_metrics_new();
    const struct device device = {.hub = "h.example", .id = "edge-1"};
    agent_metrics_set_device(m, &device);
    agent_metrics_sync(m, true);
    agent_metrics_sync(m, false);
    meter_add(agent_metrics_of(m, AGENT_METHODS, "ping"), 1);
    expect_text(m, "\n# TYPE edgeAgent_iothub_syncs_total counter\nedgeAgent_iothub_syncs_total{"
                   "iothub=\"h.example\",edge_device=\"edge-1\",instance_number=\"");
    expect_text(m, "\",ms_telemetry=\"True\"} 2\n");
    expect_text(m, "# TYPE edgeAgent_unsuccessful_iothub_syncs_total counter\n");
    expect_text(m, "\nedgeagent_direct_method_invocations_count{method_name=\"ping\"} 1\n");
    meters_free(m);
}

Test(agent_metrics, count_commands_and_what_they_did)
{
    struct meters *m = agent_metrics_new();
    agent_metrics_command(m, "one", "1.2", "prepareUpdate", 8000);
    agent_metrics_command(m, "one", "1.2", "create", 500);
    agent_metrics_command(m, "one", "1.2", "start", 500);
    agent_metrics_command(m, "one", "1.2", "restart", 500);
    agent_metrics_command(m, "one", "", "stop", 500);
    expect_text(m, "edgeAgent_module_start_total{module_name=\"one\",module_version=\"1.2\","
                   "ms_telemetry=\"True\"} 2\n");
    expect_text(m, "edgeAgent_module_stop_total{module_name=\"one\",module_version=\"\","
                   "ms_telemetry=\"True\"} 1\n");
    expect_text(m, "edgeAgent_module_prepare_update_total{module_name=\"one\",");
    expect_text(m, "edgeAgent_command_latency_seconds_sum{command=\"prepareUpdate\","
                   "ms_telemetry=\"True\"} 8\n");
    expect_text(m, "edgeAgent_command_latency_seconds_count{command=\"create\","
                   "ms_telemetry=\"True\"} 1\n");
    meters_free(m);
}

/* ------------------------------------------------------------------------------- availability */

#define RUNNING(name)                                                    \
    "edgeAgent_total_time_running_correctly_seconds{module_name=\"" name \
    "\",ms_telemetry=\"True\"} "
#define EXPECTED(name)                                                                     \
    "edgeAgent_total_time_expected_running_seconds{module_name=\"" name "\",ms_telemetry=" \
    "\"True\"} "

Test(availability, counts_only_what_was_to_run)
{
    struct meters *m = agent_metrics_new();
    static struct availability a;
    struct module_spec on = {.running = true}, off = {.running = false};
    struct module_view views[] = {
        {.name = "up", .spec = &on, .status = STATUS_RUNNING},
        {.name = "down", .spec = &on, .status = STATUS_BACKOFF},
        {.name = "stopped", .spec = &off, .status = STATUS_STOPPED},
        {.name = "other's", .spec = NULL, .status = STATUS_RUNNING},
    };
    availability_look(&a, views, 4, 5000, m);
    availability_look(&a, views, 4, 65000, m);
    views[1].status = STATUS_RUNNING;
    availability_look(&a, views, 4, 75000, m);
    availability_look(&a, views, 4, 80000, m);
    expect_text(m, RUNNING("up") "75\n");
    expect_text(m, EXPECTED("up") "75\n");
    expect_text(m, RUNNING("down") "5\n");
    expect_text(m, EXPECTED("down") "75\n");
    auto_buf struct buf out = {0};
    meters_render(m, 0, &out);
    cr_expect_null(strstr(buf_str(&out), "stopped"));
    cr_expect_null(strstr(buf_str(&out), "other's"));
    meters_free(m);
}

Test(availability, remembers_a_module_that_comes_back)
{
    struct meters *m = agent_metrics_new();
    static struct availability a;
    struct module_spec on = {.running = true};
    const struct module_view view = {.name = "x", .spec = &on, .status = STATUS_RUNNING};
    availability_look(&a, &view, 1, 1000, m);
    availability_look(&a, NULL, 0, 11000, m); /* it went */
    availability_look(&a, &view, 1, 99000, m);
    availability_look(&a, &view, 1, 100000, m);
    expect_text(m, EXPECTED("x") "11\n");
    meters_free(m);
}

Test(availability, is_bounded_and_forgets_the_gone_first)
{
    struct meters *m = agent_metrics_new();
    static struct availability a;
    struct module_spec on = {.running = true};
    char name[16];
    const struct module_view view = {.name = name, .spec = &on, .status = STATUS_RUNNING};
    for (unsigned i = 0; i < 3 * ARRAY_LEN(a.at); i++) {
        (void)str_format(name, sizeof(name), "m%u", i);
        availability_look(&a, &view, 1, 1000 * (i + 1), m);
    }
    cr_expect_eq(a.n, ARRAY_LEN(a.at));
    availability_look(&a, &view, 1, 1000000, m);
    expect_text(m, EXPECTED("m305") "694\n");
    meters_free(m);
}

/* ------------------------------------------------------------------------------- the engine's
 * words */

Test(container_stats, reads_what_docker_and_podman_tell)
{
    static const char text[] =
        "{\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":5000000000},\"system_cpu_usage\":1},"
        "\"memory_stats\":{\"usage\":1048576,\"limit\":18446744073709551615},"
        "\"pids_stats\":{\"current\":7},"
        "\"networks\":{\"eth0\":{\"rx_bytes\":10,\"tx_bytes\":20},"
        "\"eth1\":{\"rx_bytes\":1,\"tx_bytes\":2}},"
        "\"blkio_stats\":{\"io_service_bytes_recursive\":["
        "{\"major\":8,\"op\":\"Read\",\"value\":100},{\"op\":\"write\",\"value\":30},"
        "{\"major\":9,\"op\":\"read\",\"value\":5},{\"op\":\"Total\",\"value\":135}]}}";
    auto_json cJSON *json = json_parse(text, strlen(text), NULL);
    struct container_stats s;
    container_stats_parse(json, &s);
    cr_expect_eq(s.cpu_ns, 5000000000);
    cr_expect_eq(s.memory, 1048576);
    cr_expect_eq(s.pids, 7);
    cr_expect_eq(s.network_in, 11);
    cr_expect_eq(s.network_out, 22);
    cr_expect_eq(s.disk_read, 105);
    cr_expect_eq(s.disk_write, 30);
}

Test(container_stats, takes_anything)
{
    static const char *const texts[] = {
        "null", "[]", "{}",
        "{\"networks\":[1,\"x\"],\"cpu_stats\":7,\"memory_stats\":{\"usage\":-4}}",
        "{\"blkio_stats\":{\"io_service_bytes_recursive\":null},\"networks\":null}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        auto_json cJSON *json = json_parse(texts[i], strlen(texts[i]), NULL);
        struct container_stats s;
        container_stats_parse(json, &s);
        cr_expect(s.cpu_ns == 0 && s.memory == 0 && s.network_in == 0, "%s", texts[i]);
    }
}

static void expect_gateway(const char *text, const char *wanted)
{
    char address[NETWORK_ADDRESS_MAX] = "";
    auto_json cJSON *json = json_parse(text, strlen(text), NULL);
    cr_expect_eq(network_gateway(json, address), *wanted != '\0', "%s", text);
    cr_expect_str_eq(address, wanted);
}

Test(network, tells_the_bridge_s_address)
{
    expect_gateway(
        "{\"IPAM\":{\"Config\":[{\"Subnet\":\"172.18.0.0/16\",\"Gateway\":\"172.18.0.1\"}]}}",
        "172.18.0.1");
    expect_gateway("{\"IPAM\":{\"Config\":[{\"Gateway\":\"fd00::1\"},{\"Gateway\":\"10.1.0.1\"}]}}",
                   "10.1.0.1");
    expect_gateway("{\"IPAM\":{\"Config\":[{\"Gateway\":\"fd00::1\"}]}}", "");
    expect_gateway("{\"IPAM\":{\"Config\":[{\"Gateway\":\"evil\"},{\"Subnet\":\"10.0.0.0/8\"}]}}",
                   "");
    expect_gateway("{\"IPAM\":{\"Config\":null}}", "");
    expect_gateway("[]", "");
}

Test(sysinfo, tells_what_a_process_uses)
{
    struct sysinfo_process p = {0}, later = {0};
    cr_assert(sysinfo_process_read(getpid(), &p));
    cr_expect(p.memory > 100000 && p.memory < 4000000000, "%llu", (unsigned long long)p.memory);
    cr_expect(p.threads >= 1 && p.threads < 100);
    for (later = p; later.cpu_ns == p.cpu_ns;) /* its own use grows by looking */
        cr_assert(sysinfo_process_read(getpid(), &later));
    cr_expect_gt(later.cpu_ns, p.cpu_ns);
    cr_expect_not(sysinfo_process_read(-1, &p));
}
