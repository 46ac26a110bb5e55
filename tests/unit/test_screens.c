/* What a person sees: each screen drawn from a snapshot, compared with tests/golden.
 * BERTH_GOLDEN=write renews the files. */
#include "core/base/str.h"
#include "tests/unit/ui_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

#define REPORT                                                                                    \
    "{\"checks\":["                                                                               \
    "{\"id\":\"cpu\",\"label\":\"Processor\",\"text\":\"4 cores, VT-x\",\"hint\":\"\","           \
    "\"light\":\"ok\"},"                                                                          \
    "{\"id\":\"kvm\",\"label\":\"KVM\",\"text\":\"/dev/kvm is not there\","                       \
    "\"hint\":\"Switch on virtualisation in the firmware. Without it the VM is emulated (TCG), "  \
    "several times slower.\",\"light\":\"warn\"},"                                                \
    "{\"id\":\"libvirt\",\"label\":\"libvirt\",\"text\":\"9.0.0, qemu:///system, you may manage " \
    "it\",\"hint\":\"\",\"light\":\"ok\"},"                                                       \
    "{\"id\":\"memory\",\"label\":\"Memory\",\"text\":\"6.1 GiB free\",\"hint\":\"\","            \
    "\"light\":\"ok\"},"                                                                          \
    "{\"id\":\"disk\",\"label\":\"Disk\",\"text\":\"18 GiB free on /var/lib/berth\","             \
    "\"hint\":\"\",\"light\":\"ok\"},"                                                            \
    "{\"id\":\"clock\",\"label\":\"Clock\",\"text\":\"synchronised\",\"hint\":\"\","              \
    "\"light\":\"ok\"}],\"accel\":\"tcg\",\"accelWhy\":\"/dev/kvm is not there\","                \
    "\"uri\":\"qemu:///system\"}"

#define PLAN                                                                                     \
    "{\"name\":\"edge-07-vm\",\"accel\":\"auto\",\"bundle\":\"\",\"cpus\":2,\"memoryMib\":1024," \
    "\"diskGib\":16,\"network\":\"user\"}"

#define CONNSTR                                                                        \
    "HostName=contoso-hub.azure-devices.net;DeviceId=pump-station-07;SharedAccessKey=" \
    "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ="

static struct ui_fixture f;

static void setup(void)
{
    ui_fixture_init(&f, 24, 80);
}

static void teardown(void)
{
    ui_fixture_done(&f);
}

TestSuite(screens, .init = setup, .fini = teardown);

Test(screens, starts_with_a_word_about_the_engine)
{
    ui_fixture_golden(&f, "start");
}

Test(screens, says_what_to_do_when_there_is_no_engine)
{
    struct err err;
    err_set(&err, ERR_UNREACHABLE, "start berthd: not found beside berth nor in PATH");
    err_hint(&err, "build it with \"make all\", or install the package");
    ui_lost(f.ui, &err);
    ui_fixture_golden(&f, "start-no-engine");
}

Test(screens, dashboard_puts_the_failed_module_first)
{
    ui_fixture_site(&f);
    ui_fixture_golden(&f, "dash");
}

Test(screens, dashboard_of_a_fresh_vm_says_how_to_connect)
{
    ui_fixture_site(&f);
    struct vm_status *vm = &ui_view(f.ui)->snap.vms[0];
    vm->n_modules = 0;
    vm->runtime = RUNTIME_STATE_UNPROVISIONED;
    vm->cloud = CLOUD_STATE_NONE;
    vm->cloud_since_ms = 0;
    vm->device_id[0] = vm->hub[0] = '\0';
    ui_fixture_golden(&f, "dash-unprovisioned");
}

Test(screens, dashboard_of_a_stopped_vm_says_how_to_start_it)
{
    ui_fixture_site(&f);
    struct vm_status *vm = &ui_view(f.ui)->snap.vms[0];
    vm->state = VM_STATE_OFF;
    vm->n_modules = 0;
    vm->seen_ms = 0;
    vm->runtime = RUNTIME_STATE_UNKNOWN;
    vm->cloud = CLOUD_STATE_UNKNOWN;
    vm->cloud_since_ms = 0;
    ui_fixture_golden(&f, "dash-off");
}

Test(screens, modules_explain_the_marked_one)
{
    ui_fixture_site(&f);
    ui_fixture_key(&f, '2');
    ui_fixture_golden(&f, "modules");
}

Test(screens, module_shows_why_and_the_end_of_its_log)
{
    ui_fixture_site(&f);
    ui_fixture_key(&f, '2');
    (void)ui_fixture_picture(&f);
    ui_fixture_key(&f, KEYSYM_ENTER);
    ui_fixture_golden(&f, "module");
}

Test(screens, vm_shows_power_and_hardware)
{
    ui_fixture_site(&f);
    ui_fixture_key(&f, '5');
    ui_fixture_golden(&f, "vm");
}

Test(screens, a_tpm_shows_what_an_enrolment_needs)
{
    char json[600], key[421];
    memset(key, 'A', sizeof(key) - 1);
    key[420] = '\0';
    ui_fixture_site(&f);
    ui_fixture_key(&f, '5');
    ui_fixture_key(&f, 'P');
    (void)str_format(json, sizeof(json),
                     "{\"registrationId\":\"abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst\","
                     "\"endorsementKey\":\"%s\"}",
                     key);
    ui_fixture_answer(&f, json);
    ui_fixture_golden(&f, "tpm");
}

Test(screens, a_vm_without_a_tpm_says_so)
{
    struct err err;
    ui_fixture_site(&f);
    ui_fixture_key(&f, '5');
    ui_fixture_key(&f, 'P');
    err_set(&err, ERR_REMOTE, "this VM has no TPM");
    f.fn(f.fn_arg, NULL, &err);
    cr_expect(strstr(ui_fixture_picture(&f), "[!]  this VM has no TPM"), "%s",
              ui_fixture_picture(&f));
}

Test(screens, deleting_asks_for_the_name)
{
    ui_fixture_site(&f);
    ui_fixture_key(&f, '5');
    ui_fixture_key(&f, 'Z');
    ui_fixture_golden(&f, "vm-delete");
}

Test(screens, help_is_made_from_the_keys)
{
    ui_fixture_site(&f);
    ui_fixture_key(&f, '2');
    ui_fixture_key(&f, '?');
    ui_fixture_golden(&f, "help");
}

Test(screens, first_start_checks_the_host)
{
    ui_fixture_empty(&f);
    ui_fixture_golden(&f, "check-busy");
    cr_assert_str_eq(f.method, "host.check");
    ui_fixture_answer(&f, REPORT); /* the mark is on what is not as it should be */
    ui_fixture_golden(&f, "check");
}

static void go_to_plan(void)
{
    ui_fixture_empty(&f);
    ui_fixture_answer(&f, REPORT);
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_assert_str_eq(f.method, "plan.default");
    ui_fixture_answer(&f, PLAN);
}

Test(screens, plan_offers_sizes)
{
    go_to_plan();
    ui_fixture_golden(&f, "plan");
}

Test(screens, review_shows_the_command)
{
    go_to_plan();
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_assert_str_eq(f.method, "host.check");
    ui_fixture_answer(&f, REPORT);
    ui_fixture_golden(&f, "review");
}

Test(screens, install_shows_steps_and_time)
{
    ui_fixture_site(&f);
    (void)ui_fixture_job(&f, "vm.create", "Install edge-07-vm");
    ui_push(f.ui, &screen_job, "7c1e");
    ui_fixture_golden(&f, "install");
}

Test(screens, a_failed_connection_is_explained)
{
    ui_fixture_site(&f);
    struct job_status *job =
        ui_fixture_job(&f, "provision.connection_string", "Connect edge-07-vm");
    job->state = JOB_STATE_FAILED;
    job->steps[2].light = LIGHT_BAD;
    job->ended_ms = ui_view(f.ui)->now_ms;
    err_set(&job->error, ERR_AUTH,
            "contoso-hub.azure-devices.net refused the device pump-station-07: 401 Unauthorized");
    err_hint(&job->error,
             "the key does not belong to this device: copy the connection string again");
    ui_push(f.ui, &screen_job, "7c1e");
    ui_fixture_golden(&f, "connect-failed");
}

Test(screens, a_connection_ends_with_what_was_read_back)
{
    ui_fixture_site(&f);
    struct job_status *job =
        ui_fixture_job(&f, "provision.connection_string", "Connect edge-07-vm");
    job->state = JOB_STATE_DONE;
    job->ended_ms = ui_view(f.ui)->now_ms;
    for (size_t i = 0; i < job->n_steps; i++)
        job->steps[i].light = LIGHT_OK;
    ui_push(f.ui, &screen_job, "7c1e");
    ui_fixture_golden(&f, "connect-done");
}

Test(screens, a_running_job_is_the_first_thing_after_coming_back)
{
    (void)ui_fixture_job(&f, "vm.create", "Install edge-07-vm");
    ui_fixture_empty(&f);
    ui_fixture_golden(&f, "reattach");
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_assert(ui_fixture_shows(&f, "Make the disks"));
}

Test(screens, jobs_lists_them)
{
    ui_fixture_site(&f);
    (void)ui_fixture_job(&f, "vm.create", "Install edge-07-vm");
    ui_fixture_key(&f, 'J');
    ui_fixture_golden(&f, "jobs");
}

/* The VM of the site, not connected yet. */
static void go_to_connect(void)
{
    ui_fixture_site(&f);
    ui_view(f.ui)->snap.vms[0].cloud = CLOUD_STATE_NONE;
    ui_fixture_key(&f, 'C');
}

Test(screens, connect_offers_azure_and_the_sandbox)
{
    go_to_connect();
    ui_fixture_golden(&f, "connect");
}

Test(screens, connection_string_is_taken_apart_and_masked)
{
    go_to_connect();
    ui_fixture_key(&f, '1');
    ui_fixture_paste(&f, CONNSTR "\r\n");
    ui_fixture_golden(&f, "connstr");
}

static void send_log(void)
{
    static const char *const lines[] = {
        "[INF] Sending 50 messages upstream for pump-station-07",
        "[WRN] upstream timed out, retry 1 in 2 s",
        "[ERR] upstream failed: connection reset by peer (proxy)",
        "[INF] storing messages until upstream is back \xe6\xb0\xb4\xe6\xba\xab 42",
    };
    struct log_entry entries[12];
    uint64_t t = ui_view(f.ui)->now_ms - 60000;
    for (size_t i = 0; i < ARRAY_LEN(entries); i++)
        entries[i] = (struct log_entry){.seq = i + 1 + (i >= 6 ? 8112 : 0),
                                        .gap = i == 6 ? 8112 : 0,
                                        .at_ms = t + i * 1234,
                                        .text = lines[i % 4],
                                        .len = strlen(lines[i % 4])};
    const struct log_batch batch = {"s1", entries, ARRAY_LEN(entries), false, NULL};
    ui_log(f.ui, &batch);
}

static void open_log(void)
{
    ui_fixture_site(&f);
    ui_fixture_key(&f, '2');
    (void)ui_fixture_picture(&f);
    ui_fixture_key(&f, 'L');
    cr_assert_str_eq(f.method, "logs.follow");
    ui_fixture_answer(&f, "{\"stream\":\"s1\"}");
    send_log();
}

Test(screens, log_follows_and_shows_gaps)
{
    open_log();
    ui_fixture_golden(&f, "log");
}

Test(screens, log_pauses_and_searches)
{
    open_log();
    (void)ui_fixture_picture(&f);
    ui_fixture_key(&f, '/');
    ui_fixture_type(&f, "timed");
    ui_fixture_key(&f, KEYSYM_ENTER);
    ui_fixture_golden(&f, "log-search");
}

Test(screens, log_sources_include_console_and_engine)
{
    ui_fixture_site(&f);
    ui_fixture_key(&f, '3');
    ui_fixture_golden(&f, "sources");
}

static void answer_metrics(void)
{
    auto_buf struct buf json = {0};
    static const char *const names[][3] = {
        {"vm.cpu", "%", ""},
        {"vm.memory", "B", ""},
        {"module.cpu", "%", "edgeHub"},
        {"prom.queue_length", "", "edgeHub"},
    };
    uint64_t t = ui_view(f.ui)->now_ms;
    buf_puts(&json, "{\"series\":[");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        buf_printf(&json, "%s{\"name\":\"%s\",\"unit\":\"%s\",\"module\":\"%s\",\"points\":[",
                   i ? "," : "", names[i][0], names[i][1], names[i][2]);
        for (uint64_t k = 0; k < 60; k++)
            buf_printf(&json, "%s[%llu,%llu]", k ? "," : "",
                       (unsigned long long)(t - (60 - k) * 5000),
                       (unsigned long long)(i == 1 ? 900000000 + k * 1000000 : (k * (7 + i)) % 40));
        buf_puts(&json, "]}");
    }
    buf_puts(&json, "]}");
    ui_fixture_answer(&f, buf_str(&json));
}

Test(screens, metrics_plot_each_series)
{
    ui_fixture_site(&f);
    ui_fixture_key(&f, '4');
    cr_assert_str_eq(f.method, "metrics.get");
    answer_metrics();
    ui_fixture_golden(&f, "metrics");
}

/* More series than lines: each module's rows are under its name, and the chosen one is seen. */
Test(screens, metrics_of_many_modules_keep_their_names)
{
    static const char *const modules[] = {"alpha", "beta", "gamma"};
    auto_buf struct buf json = {0};
    uint64_t t = ui_view(f.ui)->now_ms;
    const char *picture;
    ui_fixture_site(&f);
    ui_fixture_key(&f, '4');
    buf_puts(&json, "{\"series\":[");
    for (size_t i = 0; i < 24; i++)
        buf_printf(&json,
                   "%s{\"name\":\"prom.row%02zu\",\"unit\":\"\",\"module\":\"%s\","
                   "\"points\":[[%llu,1]]}",
                   i ? "," : "", i, modules[i / 8], (unsigned long long)(t - 5000));
    buf_puts(&json, "]}");
    ui_fixture_answer(&f, buf_str(&json));
    picture = ui_fixture_picture(&f);
    cr_expect(strstr(picture, "-- alpha ---") && strstr(picture, "-- beta ---"), "%s", picture);
    for (size_t i = 1; i < 24; i++) {
        char row[16];
        ui_fixture_key(&f, KEYSYM_DOWN);
        (void)str_format(row, sizeof(row), " > row%02zu", i);
        picture = ui_fixture_picture(&f);
        cr_expect(strstr(picture, row), "%s is not to be seen:\n%s", row, picture);
    }
    cr_expect(strstr(picture, "-- gamma ---"), "%s", picture);
}

Test(screens, plot_fills_the_screen_and_says_it_in_words)
{
    ui_fixture_site(&f);
    ui_fixture_key(&f, '4');
    answer_metrics();
    (void)ui_fixture_picture(&f);
    ui_fixture_key(&f, KEYSYM_ENTER);
    answer_metrics();
    ui_fixture_golden(&f, "plot");
}

Test(screens, an_error_opens_a_box_with_the_next_step)
{
    ui_fixture_site(&f);
    ui_fixture_key(&f, '2');
    (void)ui_fixture_picture(&f);
    ui_fixture_key(&f, 'X');
    cr_assert_str_eq(f.method, "module.restart");
    ui_fixture_refuse(&f, ERR_BUSY, "edge-07-vm is busy: job 7c1e (Install edge-07-vm) runs",
                      "wait for it, or cancel it: berth job cancel 7c1e");
    ui_fixture_golden(&f, "error");
}

Test(screens, too_small_a_window_still_tells_the_state)
{
    ui_fixture_site(&f);
    surface_resize(f.s, 5, 60);
    cr_assert(ui_fixture_shows(&f, "this window is 60x5; screens need 80x24."));
    cr_assert(ui_fixture_shows(&f, "VM [OK] running"));
}
