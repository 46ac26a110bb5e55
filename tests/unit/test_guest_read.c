/* What a guest answers: good, odd and hostile. */
#include "core/base/str.h"
#include "core/engine/guest_read.h"

#include <criterion/criterion.h>
#include <string.h>

static int read_modules(const char *json, struct module_status *to, size_t max, size_t *n)
{
    return guest_read_modules(json, strlen(json), to, max, n, NULL);
}

Test(guest_read, takes_modules_with_state_image_and_exit)
{
    static struct module_status m[4];
    size_t n = 0;
    const char *json =
        "{\"modules\":[{\"id\":\"id\",\"name\":\"sensor1\",\"type\":\"docker\",\"config\":{"
        "\"settings\":"
        "{\"image\":\"sandbox.berth.internal:5000/berth-sensor:0.1.0\"}},\"status\":{\"startTime\":"
        "\"2026-11-21T10:00:00Z\",\"exitStatus\":{\"exitTime\":\"2026-11-21T09:59:00Z\","
        "\"statusCode\":"
        "\"137\"},\"runtimeStatus\":{\"status\":\"running\",\"description\":\"up\"}}},"
        "{\"name\":\"edgeAgent\",\"status\":{\"runtimeStatus\":{\"status\":\"stopped\"}}}]}";
    cr_assert_eq(read_modules(json, m, 4, &n), 0);
    cr_assert_eq(n, 2);
    cr_assert_str_eq(m[0].name, "sensor1");
    cr_assert_str_eq(m[0].image, "sandbox.berth.internal:5000/berth-sensor:0.1.0");
    cr_assert_eq(m[0].state, MODULE_STATE_RUNNING);
    cr_assert_eq(m[0].exit_code, 137);
    cr_assert_gt(m[0].started_ms, m[0].exited_ms);
    cr_assert_not(m[0].system);
    cr_assert(m[0].cpu_percent < 0);
    cr_assert_eq(m[1].state, MODULE_STATE_STOPPED);
    cr_assert(m[1].system);
}

Test(guest_read, shows_no_control_bytes_of_a_module_name)
{
    static struct module_status m[1];
    size_t n = 0;
    cr_assert_eq(read_modules("{\"modules\":[{\"name\":\"a\\u001b[2Jb\"}]}", m, 1, &n), 0);
    cr_assert_eq(n, 1);
    cr_assert_null(strchr(m[0].name, '\033'));
    cr_assert_eq(m[0].state, MODULE_STATE_UNKNOWN);
}

Test(guest_read, leaves_out_what_does_not_fit_and_what_has_no_name)
{
    static struct module_status m[2];
    size_t n = 9;
    cr_assert_eq(
        read_modules("{\"modules\":[{},{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}]}", m, 2,
                     &n),
        0);
    cr_assert_eq(n, 2);
    cr_assert_str_eq(m[1].name, "b");
}

Test(guest_read, refuses_what_is_no_module_list)
{
    static struct module_status m[2];
    size_t n = 9;
    cr_assert_lt(read_modules("[]", m, 2, &n), 0);
    cr_assert_lt(read_modules("{\"modules\":{}}", m, 2, &n), 0);
    cr_assert_lt(read_modules("", m, 2, &n), 0);
    cr_assert_eq(n, 9);
}

Test(guest_read, takes_the_cloud_state)
{
    struct guest_info info;
    const char *json =
        "{\"version\":\"0.1.0\",\"device_id\":\"d1\",\"hub_name\":\"h\",\"cloud_state\":"
        "\"refused\",\"cloud_since\":\"2026-11-21T10:00:00Z\",\"cloud_error\":\"no\"}";
    cr_assert_eq(guest_read_info(json, strlen(json), &info, NULL), 0);
    cr_assert_eq(info.cloud, CLOUD_STATE_REFUSED);
    cr_assert_str_eq(info.device_id, "d1");
    cr_assert_str_eq(info.cloud_error, "no");
    cr_assert_gt(info.cloud_since_ms, 0);
    cr_assert_eq(guest_read_info("{}", 2, &info, NULL), 0);
    cr_assert_eq(info.cloud, CLOUD_STATE_UNKNOWN);
}

Test(guest_read, takes_the_largest_disk_and_ignores_nonsense)
{
    struct guest_resources r;
    const char *json = "{\"used_cpu\":12.5,\"used_ram\":1000,\"total_ram\":4000,\"disks\":["
                       "{\"available_space\":5,\"total_space\":10},{\"available_space\":20,"
                       "\"total_space\":100},{\"available_space\":900,\"total_space\":800}]}";
    cr_assert_eq(guest_read_resources(json, strlen(json), &r, NULL), 0);
    cr_assert_eq(r.disk_total, 100);
    cr_assert_eq(r.disk_used, 80);
    cr_assert_eq(r.memory_used, 1000);
    json = "{\"used_cpu\":-5,\"used_ram\":1e300,\"total_ram\":-1}";
    cr_assert_eq(guest_read_resources(json, strlen(json), &r, NULL), 0);
    cr_assert(r.cpu_percent < 0);
    cr_assert_eq(r.memory_used, 0);
    cr_assert_eq(r.memory_total, 0);
}

Test(guest_read, figures_percent_between_two_samples)
{
    struct guest_stats a, b;
    const char *one =
        "{\"read\":\"2026-11-21T10:00:00Z\",\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":"
        "1000000000}},\"memory_stats\":{\"usage\":900,\"stats\":{\"inactive_file\":400}}}";
    const char *two =
        "{\"read\":\"2026-11-21T10:00:02Z\",\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":"
        "2000000000}}}";
    cr_assert_eq(guest_read_stats(one, strlen(one), &a, NULL), 0);
    cr_assert_eq(guest_read_stats(two, strlen(two), &b, NULL), 0);
    cr_assert_eq(a.memory, 500);
    double percent = guest_stats_cpu(&a, &b);
    cr_assert(percent > 49.9 && percent < 50.1);
    cr_assert(guest_stats_cpu(&b, &a) < 0); /* time went back */
    struct guest_stats none = {0};
    cr_assert(guest_stats_cpu(&none, &a) < 0); /* the first sample */
}

Test(guest_read, finds_a_key_only_at_the_start_of_a_line)
{
    char value[16];
    const char *text = "ip=10.0.2.15\nconfigured=yes\nx=ip=1\n";
    guest_read_key(text, "configured", value, sizeof(value));
    cr_assert_str_eq(value, "yes");
    guest_read_key(text, "p", value, sizeof(value));
    cr_assert_str_eq(value, "");
    guest_read_key("", "ip", value, sizeof(value));
    cr_assert_str_eq(value, "");
}
