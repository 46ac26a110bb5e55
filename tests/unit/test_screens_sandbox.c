/* The sandbox in the console: what a person sees of it and what keys lead to. */
#include "core/base/json.h"
#include "core/base/str.h"
#include "tests/unit/ui_fixture.h"
#include "tui/request.h"

#include <criterion/criterion.h>
#include <string.h>

#define SECRET "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ="
#define STRING "HostName=sandbox.berth.internal;DeviceId=edge-07-vm;SharedAccessKey=" SECRET

static struct ui_fixture f;

static void setup(void)
{
    ui_fixture_init(&f, 24, 80);
}

static void teardown(void)
{
    ui_fixture_done(&f);
}

TestSuite(screens_sandbox, .init = setup, .fini = teardown);

static void run_sandbox(void)
{
    struct sandbox_status *b = &ui_view(f.ui)->snap.sandbox;
    b->light = LIGHT_OK;
    STR_SET(b->host, "sandbox.berth.internal");
    STR_SET(b->ca_file, "/var/lib/berth/sandbox/ca.pem");
    STR_SET(b->id_scope, "0ne00A1B2C3");
    b->mqtt_port = 8883;
    b->https_port = 8443;
    b->registry_port = 5000;
    b->devices = 3;
}

static uint64_t minutes_ago(uint64_t minutes)
{
    return ui_view(f.ui)->now_ms - minutes * 60000;
}

static void add_device(struct buf *json, const char *id, const char *rest)
{
    buf_printf(json, "%s{\"deviceId\":\"%s\",%s}", json->data[json->len - 1] == '[' ? "" : ",", id,
               rest);
}

/* Three devices: the VM's own, a leaf that was heard of, one that is cut off. */
static void answer_devices(void)
{
    auto_buf struct buf json = {0};
    char rest[200];
    buf_puts(&json, "{\"total\":3,\"devices\":[");
    (void)str_format(rest, sizeof(rest),
                     "\"enabled\":true,\"connected\":true,\"edge\":true,\"auth\":\"sas\","
                     "\"modules\":4,\"activityMs\":%llu",
                     (unsigned long long)minutes_ago(2));
    add_device(&json, "edge-07-vm", rest);
    (void)str_format(rest, sizeof(rest),
                     "\"enabled\":true,\"auth\":\"x509-ca\",\"modules\":null,"
                     "\"parent\":\"edge-07-vm\",\"activityMs\":%llu",
                     (unsigned long long)minutes_ago(1600));
    add_device(&json, "pump-sensor", rest);
    add_device(&json, "stolen", "\"enabled\":false,\"auth\":\"sas\"");
    buf_puts(&json, "]}");
    ui_fixture_answer_to(&f, "sandbox.device_list", buf_str(&json));
}

static void open_sandbox(void)
{
    ui_fixture_site(&f);
    run_sandbox();
    ui_fixture_key(&f, 'O');
    ui_fixture_answer_to(&f, "sandbox.events_follow", "{\"stream\":\"sandbox-1\"}");
}

/* As the engine sends them. */
static void send_events(const char *stream)
{
    auto_buf struct buf json = {0};
    struct err err = {0};
    unsigned long long at = minutes_ago(1);
    buf_printf(&json,
               "{\"stream\":\"%s\",\"entries\":["
               "{\"seq\":1,\"at\":%llu,\"deviceId\":\"edge-07-vm\",\"moduleId\":\"sensor1\","
               "\"properties\":{},\"size\":32,\"text\":\"{\\\"temperature\\\":21.4,"
               "\\\"unit\\\":\\\"C\\\"}\"},"
               "{\"seq\":2,\"mark\":\"restarted\",\"text\":\"the sandbox was started again; its "
               "last events before that may be missing\"},"
               "{\"seq\":8,\"gap\":5,\"at\":%llu,\"deviceId\":\"pump-sensor\","
               "\"properties\":{\"alert\":\"true\"},\"size\":6,\"text\":\"hot \\u001b[2J\"}]}",
               stream, at, at + 2000);
    cJSON *params = json_parse(buf_str(&json), json.len, &err);
    cr_assert_not_null(params, "%s", err.msg);
    request_event(f.ui, "event.sandbox", params);
    cJSON_Delete(params);
}

Test(screens_sandbox, off_it_says_what_it_is_and_how_to_start_it)
{
    ui_fixture_site(&f);
    ui_fixture_key(&f, 'O');
    cr_expect_eq(f.calls, 0, "nothing is asked of one that is off");
    ui_fixture_golden(&f, "sandbox-off");
    ui_fixture_key(&f, 'A');
    cr_expect_str_eq(f.method, "sandbox.start");
    ui_fixture_answer(&f, "{\"job\":\"9\"}");
    cr_expect(ui_top(f.ui, NULL) == &screen_sandbox, "a start has no screen of its own");
}

Test(screens_sandbox, a_start_that_failed_is_explained)
{
    ui_fixture_site(&f);
    ui_fixture_key(&f, 'O');
    ui_fixture_key(&f, 'A');
    ui_fixture_answer(&f, "{\"job\":\"7c1e\"}");
    struct job_status *job = ui_fixture_job(&f, "sandbox.start", "Start the sandbox");
    job->state = JOB_STATE_FAILED;
    err_set(&job->error, ERR_REMOTE, "port 8883 is taken by another program");
    ui_tick(f.ui);
    cr_expect(ui_top(f.ui, NULL) == &screen_message);
    cr_expect(ui_fixture_shows(&f, "port 8883 is taken by another program"));
}

Test(screens_sandbox, shows_devices_and_what_they_send)
{
    open_sandbox();
    cr_expect(ui_fixture_shows(&f, "Asking the sandbox ..."));
    answer_devices();
    send_events("sandbox-1");
    ui_fixture_golden(&f, "sandbox");
}

Test(screens_sandbox, events_of_another_stream_are_not_its)
{
    open_sandbox();
    send_events("sandbox-2");
    cr_expect(ui_fixture_shows(&f, "Nothing yet."));
}

Test(screens_sandbox, works_without_a_vm)
{
    ui_fixture_empty(&f);
    run_sandbox();
    ui_fixture_key(&f, 'O');
    ui_fixture_answer_to(&f, "sandbox.device_list", "{\"devices\":[],\"total\":0}");
    cr_expect(ui_fixture_shows(&f, "None yet: N makes one"));
    ui_fixture_key(&f, 'q');
    cr_expect(ui_top(f.ui, NULL) == &screen_check);
}

Test(screens_sandbox, several_hubs_are_shown_one_after_the_other)
{
    struct sandbox_status *b = &ui_view(f.ui)->snap.sandbox;
    STR_SET(b->hubs[0].host, "sandbox.berth.internal");
    STR_SET(b->hubs[1].host, "second.berth.internal");
    b->n_hubs = 2;
    ui_fixture_site(&f);
    run_sandbox();
    ui_snapshot(f.ui);
    ui_fixture_key(&f, 'O');
    ui_fixture_key(&f, KEYSYM_TAB);
    answer_devices();
    cr_expect(!ui_fixture_shows(&f, "pump-sensor"), "that is a device of the other hub");
    ui_tick(f.ui);
    cr_expect_str_eq(f.method, "sandbox.device_list");
    cr_expect_not_null(strstr(buf_str(&f.params), "\"hub\":\"second.berth.internal\""));
    answer_devices();
    cr_expect(ui_fixture_shows(&f, "of second.berth.internal, one of 2 hubs"));
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect_not_null(strstr(buf_str(&f.params), "\"hub\":\"second.berth.internal\""),
                       "the device is looked for where it was shown");
}

Test(screens_sandbox, it_asks_again_and_stops_following_when_left)
{
    open_sandbox();
    size_t calls = f.calls;
    ui_tick(f.ui);
    cr_expect_eq(f.calls, calls, "one question at a time");
    answer_devices();
    ui_tick(f.ui);
    cr_expect_str_eq(f.method, "sandbox.device_list");
    ui_fixture_key(&f, KEYSYM_ESC);
    cr_expect_str_eq(f.method, "sandbox.events_stop");
    cr_expect_not_null(strstr(buf_str(&f.params), "\"stream\":\"sandbox-1\""));
    answer_devices(); /* the answer to the second question comes too late */
    cr_expect(ui_top(f.ui, NULL) == &screen_dash);
}

Test(screens_sandbox, a_lost_engine_is_asked_anew)
{
    struct err err;
    open_sandbox();
    err_set(&err, ERR_UNREACHABLE, "the engine went away");
    ui_lost(f.ui, &err);
    ui_ready(f.ui, true);
    size_t calls = f.calls;
    ui_tick(f.ui);
    cr_expect_eq(f.calls, calls + 2, "the devices and a new stream");
}

Test(screens_sandbox, stop_asks_and_reset_wants_a_word)
{
    open_sandbox();
    answer_devices();
    size_t calls = f.calls;
    ui_fixture_key(&f, 'T');
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect_eq(f.calls, calls, "Cancel is the default");
    ui_fixture_key(&f, 'Z');
    ui_fixture_golden(&f, "sandbox-reset");
    ui_fixture_type(&f, "rest");
    ui_fixture_key(&f, KEYSYM_TAB);
    ui_fixture_key(&f, KEYSYM_TAB);
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect_eq(f.calls, calls);
    cr_expect(ui_fixture_shows(&f, "type reset"));
    ui_fixture_key(&f, KEYSYM_CTRL_U);
    ui_fixture_type(&f, "reset");
    ui_fixture_key(&f, KEYSYM_TAB);
    ui_fixture_key(&f, KEYSYM_TAB);
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect_str_eq(f.method, "sandbox.reset");
}

/* ---- a device */

#define TWIN                                                                                  \
    "{\"deviceId\":\"edge-07-vm\",\"etag\":\"AAE=\",\"version\":3,\"tags\":{\"site\":\"A\"}," \
    "\"properties\":{\"desired\":{\"interval\":5,\"$metadata\":{\"x\":1},\"$version\":2},"    \
    "\"reported\":{\"text\":\"\\u001b[2J\",\"$version\":1}}}"

static void answer_device(void)
{
    auto_buf struct buf json = {0};
    buf_printf(
        &json,
        "{\"deviceId\":\"edge-07-vm\",\"enabled\":true,\"connected\":true,\"edge\":true,"
        "\"auth\":\"sas\",\"activityMs\":%llu,\"changedMs\":%llu,\"connectionString\":\"" STRING
        "\",\"moduleList\":[{\"deviceId\":\"edge-07-vm\",\"moduleId\":"
        "\"$edgeAgent\",\"enabled\":true,\"connected\":true},{\"deviceId\":\"edge-07-vm\","
        "\"moduleId\":\"sensor1\",\"enabled\":true}]}",
        (unsigned long long)minutes_ago(2), (unsigned long long)minutes_ago(190));
    ui_fixture_answer_to(&f, "sandbox.device_show", buf_str(&json));
}

static void open_device(void)
{
    open_sandbox();
    answer_devices();
    (void)ui_fixture_picture(&f);
    ui_fixture_key(&f, KEYSYM_ENTER);
    ui_fixture_answer_to(&f, "sandbox.twin_get", TWIN);
    answer_device();
}

Test(screens_sandbox, a_device_shows_its_twin_and_hides_its_key)
{
    open_device();
    ui_fixture_golden(&f, "device");
    cr_expect(!ui_fixture_shows(&f, "SharedAccessKey"));
}

Test(screens_sandbox, the_connection_string_is_shown_on_request_and_not_for_long)
{
    open_device();
    ui_fixture_key(&f, 'S');
    answer_device();
    ui_fixture_golden(&f, "device-string");
    ui_fixture_key(&f, 'S');
    cr_expect(!ui_fixture_shows(&f, "SharedAccessKey"), "S hides it at once");
    ui_fixture_key(&f, 'S');
    answer_device();
    cr_expect(ui_fixture_shows(&f, "SharedAccessKey"));
    ui_view(f.ui)->now_ms += 29000;
    ui_tick(f.ui);
    cr_expect(ui_fixture_shows(&f, "SharedAccessKey"));
    ui_view(f.ui)->now_ms += 1000;
    ui_tick(f.ui);
    cr_expect(!ui_fixture_shows(&f, "SharedAccessKey"), "time hides it");
}

Test(screens_sandbox, the_connection_string_goes_also_without_an_engine_and_below_other_pages)
{
    const struct err gone = {.kind = ERR_UNREACHABLE, .msg = "the engine ended"};
    open_device();
    ui_fixture_key(&f, 'S');
    answer_device();
    ui_lost(f.ui, &gone);
    ui_view(f.ui)->now_ms += 30000;
    cr_expect(!ui_fixture_shows(&f, "SharedAccessKey"), "nothing ticks without an engine");
    ui_ready(f.ui, true);
    ui_fixture_key(&f, 'S');
    answer_device();
    ui_fixture_key(&f, 'I');
    ui_fixture_key(&f, KEYSYM_ESC);
    cr_expect(!ui_fixture_shows(&f, "SharedAccessKey"), "another page was opened");
}

Test(screens_sandbox, a_string_that_could_not_be_told_is_not_shown_later)
{
    open_device();
    ui_fixture_key(&f, 'S');
    ui_fixture_refuse(&f, ERR_UNREACHABLE, "the sandbox does not answer", "");
    ui_tick(f.ui);
    answer_device();
    cr_expect(!ui_fixture_shows(&f, "SharedAccessKey"));
}

Test(screens_sandbox, a_deleted_device_takes_what_is_above_it_along)
{
    open_device();
    ui_fixture_key(&f, 'Z');
    ui_fixture_type(&f, "edge-07-vm");
    ui_fixture_key(&f, KEYSYM_TAB);
    ui_fixture_key(&f, KEYSYM_TAB);
    ui_fixture_key(&f, KEYSYM_ENTER);
    ui_fixture_key(&f, 'I');
    ui_fixture_answer_to(&f, "sandbox.device_delete", "{}");
    cr_expect(ui_top(f.ui, NULL) == &screen_sandbox);
}

/* The sanitiser is the judge: nothing is freed that its own handler still uses. */
Test(screens_sandbox, pages_can_be_opened_without_end)
{
    open_device();
    for (int i = 0; i < 40; i++) {
        ui_fixture_key(&f, 'I');
        (void)ui_fixture_picture(&f);
        ui_fixture_key(&f, KEYSYM_F1);
        (void)ui_fixture_picture(&f);
    }
    for (int i = 0; i < 40; i++) {
        ui_fixture_key(&f, KEYSYM_ESC);
        ui_fixture_key(&f, 'L');
        ui_fixture_key(&f, 'J');
        (void)ui_fixture_picture(&f);
    }
    ui_fixture_key(&f, KEYSYM_ESC);
    ui_fixture_key(&f, 'O');
    cr_expect(ui_top(f.ui, NULL) == &screen_sandbox, "there is one sandbox to come back to");
}

Test(screens_sandbox, events_that_begin_too_late_are_ended)
{
    open_device();
    ui_fixture_key(&f, 'L');
    cr_expect_str_eq(f.method, "sandbox.events_follow");
    ui_fixture_key(&f, KEYSYM_ESC);
    ui_fixture_answer_to(&f, "sandbox.events_follow", "{\"stream\":\"sandbox-7\"}");
    cr_expect_str_eq(f.method, "sandbox.events_stop");
}

Test(screens_sandbox, tab_goes_on_to_the_modules_twins)
{
    open_device();
    ui_fixture_key(&f, KEYSYM_TAB);
    cr_expect_str_eq(f.method, "sandbox.twin_get");
    cr_expect_not_null(strstr(buf_str(&f.params), "\"moduleId\":\"$edgeAgent\""));
    ui_fixture_answer(&f, TWIN);
    cr_expect(!ui_fixture_shows(&f, "interval"), "an answer about the device itself is too late");
    cr_expect(ui_fixture_shows(&f, "Twin of module $edgeAgent"));
    ui_fixture_key(&f, KEYSYM_TAB);
    ui_fixture_key(&f, KEYSYM_TAB);
    cr_expect_null(strstr(buf_str(&f.params), "moduleId"), "and around again");
}

Test(screens_sandbox, enabling_disabling_deleting)
{
    open_device();
    size_t calls = f.calls;
    ui_fixture_key(&f, 'E');
    cr_expect_eq(f.calls, calls, "it is enabled");
    ui_fixture_key(&f, 'D');
    ui_fixture_key(&f, KEYSYM_RIGHT);
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect_str_eq(f.method, "sandbox.device_set");
    cr_expect_not_null(strstr(buf_str(&f.params), "\"enabled\":false"));
    ui_fixture_answer(&f, "{}");
    ui_fixture_key(&f, 'Z');
    ui_fixture_golden(&f, "device-delete");
    ui_fixture_type(&f, "edge-07-vm");
    ui_fixture_key(&f, KEYSYM_TAB);
    ui_fixture_key(&f, KEYSYM_TAB);
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect_str_eq(f.method, "sandbox.device_delete");
    ui_fixture_answer(&f, "{}");
    cr_expect(ui_top(f.ui, NULL) == &screen_sandbox, "there is nothing to look at any more");
}

Test(screens_sandbox, a_method_is_called_and_its_answer_shown)
{
    open_device();
    ui_fixture_key(&f, 'I');
    size_t calls = f.calls;
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect_eq(f.calls, calls, "it has no name yet");
    ui_fixture_type(&f, "reboot");
    ui_fixture_key(&f, KEYSYM_TAB);
    ui_fixture_type(&f, "{\"delay\":");
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect_eq(f.calls, calls, "half a payload is not sent");
    ui_fixture_type(&f, "5}");
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect_str_eq(f.method, "sandbox.invoke");
    cr_expect_not_null(strstr(buf_str(&f.params), "\"payload\":{\"delay\":5}"), "%s",
                       buf_str(&f.params));
    cr_expect(ui_fixture_shows(&f, "Waiting for the device"));
    ui_fixture_answer(&f, "{\"status\":200,\"payload\":{\"ok\":true,\"text\":\"\\u001b[2J\"}}");
    ui_fixture_golden(&f, "invoke");
    ui_fixture_key(&f, KEYSYM_ENTER);
    ui_fixture_refuse(&f, ERR_UNREACHABLE, "the device is not connected",
                      "`berth sandbox device list` shows which devices are connected");
    cr_expect(ui_top(f.ui, NULL) == &screen_invoke, "what was typed stays");
    cr_expect(ui_fixture_shows(&f, "[X]  the device is not connected"));
}

Test(screens_sandbox, its_events_fill_the_screen)
{
    open_device();
    ui_fixture_key(&f, 'L');
    cr_expect_str_eq(f.method, "sandbox.events_follow");
    cr_expect_not_null(strstr(buf_str(&f.params), "\"deviceId\":\"edge-07-vm\""));
    ui_fixture_answer(&f, "{\"stream\":\"sandbox-2\"}");
    send_events("sandbox-2");
    ui_fixture_golden(&f, "events");
    ui_fixture_key(&f, KEYSYM_ESC);
    cr_expect_str_eq(f.method, "sandbox.events_stop");
}

/* ---- a new device */

Test(screens_sandbox, a_new_device_is_asked_for_as_chosen)
{
    open_sandbox();
    answer_devices();
    ui_fixture_key(&f, 'N');
    size_t calls = f.calls;
    ui_fixture_key(&f, KEYSYM_ENTER);
    ui_fixture_type(&f, "pump 8");
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect_eq(f.calls, calls, "a name has no blank");
    ui_fixture_key(&f, KEYSYM_CTRL_U);
    ui_fixture_type(&f, "pump-8");
    ui_fixture_golden(&f, "device-new");
    ui_fixture_key(&f, KEYSYM_TAB);
    ui_fixture_key(&f, KEYSYM_DOWN);
    ui_fixture_key(&f, KEYSYM_TAB);
    ui_fixture_key(&f, KEYSYM_DOWN);
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect_eq(f.calls, calls, "a self-signed certificate is known by its thumbprint");
    ui_fixture_key(&f, KEYSYM_TAB);
    ui_fixture_paste(&f, "sha256 Fingerprint=AA:BB");
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect_str_eq(f.method, "sandbox.device_create");
    cr_expect_str_eq(buf_str(&f.params),
                     "{\"deviceId\":\"pump-8\",\"edge\":false,\"auth\":\"x509-self-signed\","
                     "\"thumbprint\":\"sha256 Fingerprint=AA:BB\"}");
    ui_fixture_refuse(&f, ERR_INVALID, "thumbprint: must be 40 or 64 digits", "");
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect(ui_top(f.ui, NULL) == &screen_device_new, "what was typed stays");
    ui_fixture_key(&f, KEYSYM_ENTER);
    ui_fixture_answer(&f, "{\"deviceId\":\"pump-8\",\"existed\":false}");
    cr_expect(ui_top(f.ui, NULL) == &screen_device);
    cr_expect(ui_fixture_shows(&f, "pump-8 is made; S shows its connection string"));
}

/* ---- the wizard */

static void go_to_connect(void)
{
    ui_fixture_site(&f);
    run_sandbox();
    ui_view(f.ui)->snap.vms[0].cloud = CLOUD_STATE_NONE;
    ui_fixture_key(&f, 'C');
}

Test(screens_sandbox, a_vm_can_be_a_device_that_is_there_already)
{
    go_to_connect();
    ui_fixture_golden(&f, "connect-sandbox");
    ui_fixture_key(&f, '3');
    answer_devices();
    ui_fixture_golden(&f, "device-choice");
    ui_fixture_key(&f, KEYSYM_ENTER);
    cr_expect_str_eq(f.method, "provision.sandbox");
    cr_expect_not_null(strstr(buf_str(&f.params), "\"deviceId\":\"edge-07-vm\",\"sample\":false"));
    ui_fixture_answer(&f, "{\"job\":\"7c1e\"}");
    cr_expect(ui_top(f.ui, NULL) == &screen_job);
}

Test(screens_sandbox, that_choice_needs_a_sandbox_that_runs)
{
    ui_fixture_site(&f);
    ui_view(f.ui)->snap.vms[0].cloud = CLOUD_STATE_NONE;
    ui_fixture_key(&f, 'C');
    cr_expect(!ui_fixture_shows(&f, "3  Use a device"));
    ui_fixture_key(&f, '3');
    cr_expect(ui_top(f.ui, NULL) != &screen_device_choice);
}
