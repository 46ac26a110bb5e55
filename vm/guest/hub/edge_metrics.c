/* See edge_metrics.h. */
#include "vm/guest/hub/edge_metrics.h"

#include "core/base/str.h"
#include "vm/guest/hub/route_table.h"

static const struct meter_kind kinds[] = {
    [EDGE_GETTWIN] = {"edgehub_gettwin_total", METER_COUNTER, METER_TELEMETRY, "source id ",
                      "Twins that were asked for"},
    [EDGE_MESSAGES_RECEIVED] = {"edgehub_messages_received_total", METER_COUNTER, METER_TELEMETRY,
                                "id route_output ", "Messages from clients"},
    [EDGE_MESSAGES_SENT] = {"edgehub_messages_sent_total", METER_COUNTER, METER_TELEMETRY,
                            "from to from_route_output to_route_input priority ",
                            "Messages to clients and upstream"},
    [EDGE_REPORTED_PROPERTIES] = {"edgehub_reported_properties_total", METER_COUNTER,
                                  METER_TELEMETRY, "target id ", "Reports of properties"},
    [EDGE_DIRECT_METHODS] = {"edgehub_direct_methods_total", METER_COUNTER, METER_TELEMETRY,
                             "from to ", "Direct methods that were called"},
    [EDGE_MESSAGES_DROPPED] = {"edgehub_messages_dropped_total", METER_COUNTER, METER_TELEMETRY,
                               "reason from from_route_output ", "Messages that go nowhere"},
    [EDGE_MESSAGES_UNACK] = {"edgehub_messages_unack_total", METER_COUNTER, METER_TELEMETRY,
                             "reason from from_route_output ",
                             "Messages that could not be acknowledged"},
    [EDGE_OFFLINE_COUNT] = {"edgehub_offline_count_total", METER_COUNTER, METER_TELEMETRY, "id ",
                            "Times that the connection upstream was lost"},
    [EDGE_OPERATION_RETRY] = {"edgehub_operation_retry_total", METER_COUNTER, METER_TELEMETRY,
                              "id operation ", "Operations that were tried again"},
    [EDGE_CONNECT_FAILED] = {"edgehub_client_connect_failed_total", METER_COUNTER, METER_TELEMETRY,
                             "id reason ", "Clients that were refused"},
    [EDGE_CONNECT_SUCCESS] = {"edgehub_client_connect_success_total", METER_COUNTER,
                              METER_TELEMETRY, "id ", "Clients that connected"},
    [EDGE_DISCONNECT] = {"edgehub_client_disconnect_total", METER_COUNTER, METER_TELEMETRY, "id ",
                         "Clients that disconnected"},
    [EDGE_QUEUE_LENGTH] = {"edgehub_queue_length", METER_GAUGE, METER_TELEMETRY,
                           "endpoint priority ", "Messages that wait for an endpoint"},
    [EDGE_CONNECTED_CLIENTS] = {"edgehub_connected_clients", METER_GAUGE, METER_TELEMETRY, "",
                                "Clients now connected"},
    [EDGE_MESSAGE_SIZE] = {"edgehub_message_size_bytes", METER_SUMMARY, METER_COMMON, "id ",
                           "Size of messages from clients"},
    [EDGE_GETTWIN_DURATION] = {"edgehub_gettwin_duration_seconds", METER_SUMMARY, METER_COMMON,
                               "source id ", "Time to get a twin"},
    [EDGE_SEND_DURATION] = {"edgehub_message_send_duration_seconds", METER_SUMMARY, METER_COMMON,
                            "from to from_route_output to_route_input ", "Time to send a message"},
    [EDGE_PROCESS_DURATION] = {"edgehub_message_process_duration_seconds", METER_SUMMARY,
                               METER_TELEMETRY, "from to priority ",
                               "Time from a message's arrival to its delivery"},
    [EDGE_REPORTED_DURATION] = {"edgehub_reported_properties_update_duration_seconds",
                                METER_SUMMARY, METER_COMMON, "target id ",
                                "Time to take a report of properties"},
    [EDGE_DIRECT_METHOD_DURATION] = {"edgehub_direct_method_duration_seconds", METER_SUMMARY,
                                     METER_COMMON, "from to ", "Time of a direct method"},
    [EDGE_OFFLINE_DURATION] = {"edgehub_offline_duration_seconds", METER_SUMMARY, METER_COMMON,
                               "id ", "Time without a connection upstream"},
};
_Static_assert(ARRAY_LEN(kinds) == EDGE_METRIC_COUNT, "a row for each metric");

const char *edge_metrics_priority(unsigned priority)
{
    static const char *const names[] = {"0", "1", "2", "3", "4",         "5",
                                        "6", "7", "8", "9", "2000000000"};

    _Static_assert(ARRAY_LEN(names) == ROUTE_PRIORITIES, "a name for each priority");
    return names[priority < ROUTE_PRIORITIES ? priority : ROUTE_PRIORITY_LAST];
}

void edge_metrics_id(char to[EDGE_METRICS_ID_MAX], const char *device, const char *module)
{
    (void)str_format(to, EDGE_METRICS_ID_MAX, "%s%s%s", device, module[0] ? "/" : "", module);
}

struct meters *edge_metrics_new(const char *iothub, const char *device, const char *instance)
{
    const char *const common[] = {"iothub",          iothub,   "edge_device", device,
                                  "instance_number", instance, NULL};
    struct meters *m = meters_new(kinds, ARRAY_LEN(kinds));

    meters_set_common(m, common);
    return m;
}

struct meter *edge_metrics_series(struct meters *m, enum edge_metric metric,
                                  const char *const *labels)
{
    return meters_get(m, metric, labels);
}
