#include "vm/guest/hub/event_json.h"

#include <criterion/criterion.h>
#include <string.h>

static void show(const struct event *event, struct buf *to)
{
    auto_json cJSON *out = event_json(event);

    json_print(to, out);
}

static struct event with_bag(const char *bag)
{
    return (struct event){.seq = 7,
                          .at_ms = 1700000000000,
                          .device = "d",
                          .module = "",
                          .generation = "1",
                          .method = "{}",
                          .model_id = "",
                          .bag = bag,
                          .bag_len = strlen(bag),
                          .payload = "hi",
                          .len = 2};
}

Test(event_json, shows_a_message_as_a_consumer_sees_it)
{
    auto_buf struct buf text = {0};
    struct event e = with_bag("%24.mid=m&%24.cid=c&%24.uid=u&%24.to=t&%24.ct=ct&%24.ce=ce&%24.exp=x"
                              "&%24.on=o&%24.ctime=z&%24.schema=s&%24.ifid=i&%24.sub=b&a=1");

    show(&e, &text);
    cr_assert_str_eq(
        text.data,
        "{\"sequence\":7,\"enqueuedTimeUtc\":\"2023-11-14T22:13:20.000Z\",\"deviceId\":\"d\","
        "\"properties\":{\"a\":\"1\"},\"systemProperties\":{\"message-id\":\"m\","
        "\"correlation-id\":\"c\",\"user-id\":\"u\",\"to\":\"t\",\"content-type\":\"ct\","
        "\"content-encoding\":\"ce\",\"absolute-expiry-time\":\"x\",\"iothub-outputname\":\"o\","
        "\"iothub-creation-time-utc\":\"z\",\"iothub-message-schema\":\"s\","
        "\"iothub-interface-id\":\"i\",\"dt-subject\":\"b\","
        "\"iothub-connection-device-id\":\"d\",\"iothub-connection-auth-method\":\"{}\","
        "\"iothub-connection-auth-generation-id\":\"1\","
        "\"iothub-enqueuedtime\":\"2023-11-14T22:13:20.000Z\","
        "\"iothub-message-source\":\"Telemetry\"},\"bodyBase64\":\"aGk=\"}");
}

Test(event_json, keeps_unknown_names_of_the_hub_from_the_application)
{
    auto_buf struct buf text = {0};
    struct event e = with_bag("%24.new=1&alone");

    show(&e, &text);
    cr_assert(strstr(text.data, "\"properties\":{\"alone\":\"\"}"), "%s", text.data);
    cr_assert(strstr(text.data, "\"systemProperties\":{\"$.new\":\"1\","), "%s", text.data);
}

Test(event_json, says_what_the_hub_alone_knows)
{
    auto_buf struct buf text = {0};
    struct event e = with_bag("iothub-MessageType=forged");

    e.module = "m";
    e.model_id = "dtmi:a;1";
    e.retain = true;
    e.will = true;
    show(&e, &text);
    cr_assert(strstr(text.data, "\"properties\":{\"mqtt-retain\":\"true\","
                                "\"iothub-MessageType\":\"Will\"}"),
              "%s", text.data);
    cr_assert(strstr(text.data, "\"iothub-connection-module-id\":\"m\""), "%s", text.data);
    cr_assert(strstr(text.data, "\"dt-dataschema\":\"dtmi:a;1\""), "%s", text.data);
}
