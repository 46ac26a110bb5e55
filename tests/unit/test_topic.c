#include "vm/guest/hub/topic.h"

#include <criterion/criterion.h>
#include <string.h>

static int parse(const char *text, struct topic *t)
{
    return topic_parse(text, strlen(text), t, NULL);
}

Test(topic, knows_telemetry_in_all_its_forms)
{
    struct topic t;

    cr_assert_eq(parse("devices/d/messages/events/", &t), 0);
    cr_assert(t.kind == TOPIC_TELEMETRY && topic_span_is(t.device, "d") && t.module.len == 0);
    cr_assert_eq(parse("devices/d/messages/events", &t), 0);
    cr_assert_eq(parse("devices/d/modules/m/messages/events/%24.on=o/", &t), 0);
    cr_assert(topic_span_is(t.module, "m") && topic_span_is(t.bag, "%24.on=o"));
}

Test(topic, knows_the_service_topics)
{
    struct topic t;

    cr_assert_eq(parse("$iothub/twin/GET/?$rid=0a-b", &t), 0);
    cr_assert(t.kind == TOPIC_TWIN_GET && topic_span_is(t.rid, "0a-b"));
    cr_assert_eq(parse("$iothub/twin/PATCH/properties/reported/?$rid=1&$version=7", &t), 0);
    cr_assert(t.kind == TOPIC_TWIN_REPORT && t.has_version && t.version == 7);
    cr_assert_eq(parse("$iothub/methods/res/200/?$rid=f", &t), 0);
    cr_assert(t.kind == TOPIC_METHOD_REPLY && t.status == 200);
}

Test(topic, refuses_everything_else)
{
    const char *bad[] = {"",
                         "hello",
                         "devices/",
                         "devices/d",
                         "devices/d/messages/eventsx",
                         "devices/d/messages/devicebound/",
                         "devices/d/modules/m",
                         "devices/d/messages/events/a=%zz",
                         "devices/d/messages/events/a=%00",
                         "devices/d/messages/events/a=%ff",
                         "$iothub/twin/GET/",
                         "$iothub/twin/GET/?x=1",
                         "$iothub/twin/PATCH/properties/reported/?$rid=1&$version=x",
                         "$iothub/methods/res/?$rid=1",
                         "$iothub/methods/res/-1/?$rid=1",
                         "$iothub/twin/PATCH/properties/desired/?$rid=1"};
    struct topic t;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_eq(parse(bad[i], &t), -1, "accepted: %s", bad[i]);
}

Test(topic, lets_a_client_subscribe_to_its_own_only)
{
    const struct {
        const char *filter, *module;
        unsigned sub;
    } cases[] = {
        {"$iothub/twin/res/#", "", SUB_TWIN_REPLY},
        {"$iothub/twin/PATCH/properties/desired/#", "m", SUB_TWIN_DESIRED},
        {"$iothub/methods/POST/#", "", SUB_METHODS},
        {"devices/d/messages/devicebound/#", "", SUB_DEVICEBOUND},
        {"devices/d/messages/devicebound/#", "m", 0},
        {"devices/d/modules/m/inputs/#", "m", SUB_INPUTS},
        {"devices/d/modules/m/#", "m", SUB_INPUTS},
        {"devices/d/modules/other/#", "m", 0},
        {"devices/dd/messages/devicebound/#", "", 0},
        {"devices/+/messages/devicebound/#", "", SUB_DEVICEBOUND},
        {"devices/d/messages/#", "", SUB_DEVICEBOUND},
        {"#", "", SUB_DEVICEBOUND},
        {"#", "m", SUB_INPUTS},
        {"devices/d/messages/devicebound", "", 0},
        {"devices/d/messages/devicebound/x/#", "", 0},
        {"devices/d/messages/events/#", "", 0},
        {"devices/d/messages/#/x", "", 0},
        {"devices/d", "", 0},
        {"", "", 0},
        {"$iothub/#", "", 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_assert_eq(topic_filter(cases[i].filter, strlen(cases[i].filter), "d", cases[i].module),
                     cases[i].sub, "%s", cases[i].filter);
}

Test(topic, reads_user_names)
{
    struct topic_user u;
    const char *device = "hub:8883/dev1/?api-version=2021-04-12&DeviceClientType=a%20b"
                         "&model-id=dtmi%3Acom%3Aexample%3AThermostat%3B1";
    const char *module = "hub/dev1/$edgeAgent/api-version=2018-06-30";
    const char *behalf = "hub/dev1/?api-version=2021-04-12&auth-chain=dev1%3Bedge%201";
    const char *bad[] = {"",
                         "hub",
                         "hub/dev1",
                         "hub/dev1/",
                         "/d/?api-version=1",
                         "hub//?api-version=1",
                         "hub/d/?api-version=",
                         "hub/d d/?api-version=1",
                         "hub/d/m/x/?api-version=1"};

    cr_assert_eq(topic_parse_user(device, strlen(device), &u, NULL), 0);
    cr_assert(strcmp(u.device, "dev1") == 0 && !u.module[0]);
    cr_assert_str_eq(u.host, "hub:8883");
    cr_assert_str_eq(u.api_version, "2021-04-12");
    cr_assert_str_eq(u.model_id, "dtmi:com:example:Thermostat;1");
    cr_assert_str_eq(u.chain, "");
    cr_assert_eq(topic_parse_user(behalf, strlen(behalf), &u, NULL), 0);
    cr_assert_str_eq(u.chain, "dev1;edge 1");
    cr_assert_eq(topic_parse_user(module, strlen(module), &u, NULL), 0);
    cr_assert_str_eq(u.module, "$edgeAgent");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_eq(topic_parse_user(bad[i], strlen(bad[i]), &u, NULL), -1, "accepted: %s",
                     bad[i]);
}

static bool join(void *arg, const char *key, const char *value)
{
    buf_printf(arg, "[%s|%s]", key, value ? value : "(null)");
    return true;
}

Test(topic, takes_property_bags_apart)
{
    auto_buf struct buf seen = {0};
    const char *bag = "%24.mid=m%201&alert%20type=a%2Fb&empty=&alone&plus=a+b";

    cr_assert(topic_bag_each(bag, strlen(bag), join, &seen));
    cr_assert_str_eq(seen.data, "[$.mid|m 1][alert type|a/b][empty|][alone|(null)][plus|a+b]");
}

Test(topic, takes_no_bag_of_thousands_of_properties)
{
    auto_buf struct buf bag = {0};

    for (int i = 0; i < 500; i++)
        buf_printf(&bag, "k%d=v&", i);
    cr_assert(topic_bag_each(bag.data, bag.len, NULL, NULL));
    buf_puts(&bag, "one=more");
    cr_assert_not(topic_bag_each(bag.data, bag.len, NULL, NULL));
}

Test(topic, knows_a_valid_id)
{
    char longest[130];

    memset(longest, 'a', sizeof(longest));
    longest[128] = '\0';
    cr_assert(identity_id_valid(longest));
    cr_assert(identity_id_valid("$edgeAgent") && identity_id_valid("a-b.c+d%_#*?!(),:=@$'"));
    longest[128] = 'a';
    longest[129] = '\0';
    cr_assert_not(identity_id_valid(longest));
    cr_assert_not(identity_id_valid("") || identity_id_valid("a b") || identity_id_valid("a/b"));
}

static int parse_reply(const char *text, struct topic_reply *t)
{
    return topic_parse_reply(text, strlen(text), t, NULL);
}

Test(topic, knows_what_a_hub_publishes_to)
{
    struct topic_reply t;

    cr_assert_eq(parse_reply("$iothub/twin/res/204/?$rid=7&$version=12", &t), 0);
    cr_assert(t.kind == TOPIC_TWIN_REPLY && t.status == 204 && t.version == 12);
    cr_assert(topic_span_is(t.rid, "7"));
    cr_assert_eq(parse_reply("$iothub/twin/res/429/?$rid=7", &t), 0);
    cr_assert(t.status == 429 && t.version == 0);
    cr_assert_eq(parse_reply("$iothub/twin/PATCH/properties/desired/?$version=3", &t), 0);
    cr_assert(t.kind == TOPIC_TWIN_DESIRED && t.version == 3);
    cr_assert_eq(parse_reply("$iothub/methods/POST/say%20it/?$rid=1f", &t), 0);
    cr_assert(t.kind == TOPIC_METHOD && topic_span_is(t.method, "say%20it"));
    cr_assert(topic_span_is(t.rid, "1f"));
    cr_assert_eq(parse_reply("devices/d/messages/devicebound/%24.mid=1&a=b", &t), 0);
    cr_assert(t.kind == TOPIC_DEVICEBOUND && topic_span_is(t.device, "d"));
    cr_assert(topic_span_is(t.bag, "%24.mid=1&a=b"));
}

Test(topic, believes_a_hub_nothing_else)
{
    const char *bad[] = {"",
                         "$iothub/twin/GET/?$rid=1",
                         "$iothub/twin/res/200/",
                         "$iothub/twin/res/x/?$rid=1",
                         "$iothub/twin/res/200/?$version=1",
                         "$iothub/twin/PATCH/properties/desired/",
                         "$iothub/twin/PATCH/properties/desired/?$version=-1",
                         "$iothub/methods/POST/?$rid=1",
                         "$iothub/methods/POST/m/",
                         "devices/d/messages/events/",
                         "devices/d/messages/deviceboundx",
                         "devices/d/messages/devicebound/a=%zz",
                         "devices/d/modules/m/inputs/i/"};
    struct topic_reply t;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_assert_eq(parse_reply(bad[i], &t), -1, "accepted: %s", bad[i]);
}

Test(topic, writes_what_a_hub_publishes_to)
{
    char to[TOPIC_OUT_MAX];
    struct topic_reply r;
    uint64_t version = 7;

    topic_put_twin_reply(to, 200, (struct topic_span){"0a-bX", 4}, NULL);
    cr_expect_str_eq(to, "$iothub/twin/res/200/?$rid=0a-b");
    topic_put_twin_reply(to, 204, (struct topic_span){"1", 1}, &version);
    cr_expect_str_eq(to, "$iothub/twin/res/204/?$rid=1&$version=7");
    cr_assert_eq(topic_parse_reply(to, strlen(to), &r, NULL), 0);
    cr_expect(r.kind == TOPIC_TWIN_REPLY && r.status == 204 && r.version == 7);
    topic_put_desired(to, 3);
    cr_assert_eq(topic_parse_reply(to, strlen(to), &r, NULL), 0);
    cr_expect(r.kind == TOPIC_TWIN_DESIRED && r.version == 3);
    topic_put_method(to, "blink", "2f");
    cr_assert_eq(topic_parse_reply(to, strlen(to), &r, NULL), 0);
    cr_expect(r.kind == TOPIC_METHOD && topic_span_is(r.method, "blink") &&
              topic_span_is(r.rid, "2f"));
}
