/* The device API over MQTT; see dps_register.h. A client asks on
 *     $dps/registrations/PUT/iotdps-register/?$rid=R
 *     $dps/registrations/GET/iotdps-get-operationstatus/?$rid=R&operationId=O
 * and is answered on
 *     $dps/registrations/res/STATUS/?$rid=R[&retry-after=S]
 * Who it is is looked at again for each request, so that a change of its enrolment counts at once.
 * One request at a time: each is answered before the next one is read. */
#include "core/base/percent.h"
#include "vm/guest/hub/dps_auth.h"
#include "vm/guest/hub/dps_register.h"

#include "core/azure/sas.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define USER_MAX  600
#define TOPIC_MAX 512
#define RID_MAX   128

static const char response_filter[] = "$dps/registrations/res/#";
static const char register_topic[] = "$dps/registrations/PUT/iotdps-register/?";
static const char poll_topic[] = "$dps/registrations/GET/iotdps-get-operationstatus/?";

/* A connection. */
struct dps_link {
    struct dps *d;
    struct mqtt_conn *c;
    struct dps_link *next;
    char id[IDENTITY_ID_MAX];
    struct secret token; /* empty: it has a certificate */
    bool subscribed;
    unsigned qos; /* of the subscription */
};

/* False where it does not fit. */
static bool take_text(struct mqtt_text text, char *to, size_t size)
{
    if (!text.at || text.len >= size)
        return false;
    memcpy(to, text.at, text.len);
    to[text.len] = '\0';
    return true;
}

/* ------------------------------------------------------------------------------------------
 * CONNECT */

/* "SCOPE/registrations/ID/api-version=V[&ClientVersion=...]": the parts, in place. */
static bool split_user(char *user, char **ret_scope, char **ret_id)
{
    char *word = strchr(user, '/');
    char *id = word ? strchr(word + 1, '/') : NULL;
    char *rest = id ? strchr(id + 1, '/') : NULL;

    if (!rest || !str_starts(rest, "/api-version=") || !str_starts(word, "/registrations/"))
        return false;
    *word = *rest = '\0';
    *ret_scope = user;
    *ret_id = id + 1;
    return true;
}

/* A hub's names have dots, an id scope has none: a device may be called "registrations". */
static bool wants(void *owner, const struct mqtt_packet *connect)
{
    char user[USER_MAX], *scope, *id;

    (void)owner;
    return take_text(connect->user, user, sizeof(user)) && split_user(user, &scope, &id) &&
           !strpbrk(scope, ".:");
}

static int check_user(const struct dps *d, const struct mqtt_packet *p, char id[IDENTITY_ID_MAX],
                      struct err *err)
{
    char user[USER_MAX], client[IDENTITY_ID_MAX], *scope, *encoded;

    if (!take_text(p->user, user, sizeof(user)) || !split_user(user, &scope, &encoded) ||
        !percent_decode(encoded, strlen(encoded), id, IDENTITY_ID_MAX) || !dps_id_valid(id))
        return err_set(err, ERR_AUTH, "the user name is malformed");
    if (strcasecmp(scope, d->scope) != 0)
        return err_set(err, ERR_AUTH, "%s: there is no such id scope", id);
    if (!take_text(p->client_id, client, sizeof(client)) || strcasecmp(client, id) != 0)
        return err_set(err, ERR_AUTH, "%s: the client id is not the registration id", id);
    return 0;
}

/* A token must be good now. A certificate need only be there: what is wrong with it is answered to
 * the registration, as Azure does it. RET_PROVEN: it is who it says. */
static int check_proof(struct dps_link *l, bool *ret_proven, struct err *err)
{
    auto_dps_grant struct dps_grant grant = {0};
    struct auth_proof proof = {
        .token = l->token.data, .len = l->token.len, .tls = mqtt_conn_tls(l->c)};
    struct tls_cert_info cert;

    if (!proof.token && !(proof.tls && tls_peer(proof.tls, &cert)))
        return err_set(err, ERR_AUTH, "%s showed neither token nor certificate", l->id);
    *ret_proven = dps_auth_device(l->d, &proof, l->id, &grant, err) == 0;
    if (!*ret_proven && proof.token)
        return err_wrap(err, "registration %s", l->id);
    if (!*ret_proven)
        return 0;
    if (grant.expiry_s != UINT64_MAX)
        mqtt_conn_expires(l->c, grant.expiry_s + SAS_SKEW_S);
    return 0;
}

static void link_free(struct dps_link *l)
{
    secret_wipe(&l->token);
    free(l);
}

/* A second connection of the same client ends the first; one that only says so must not. */
static void take_over(struct dps *d, const char *id)
{
    for (struct dps_link *l = d->links; l; l = l->next)
        if (strcasecmp(l->id, id) == 0) {
            mqtt_conn_end(l->c, "the same registration connected again"); /* which frees L */
            return;
        }
}

static void *on_connect(void *owner, struct mqtt_conn *c, const struct mqtt_packet *p,
                        bool *ret_present, struct err *err)
{
    struct dps *d = owner;
    struct dps_link *l = xcalloc(1, sizeof(*l));
    bool proven = false;

    l->d = d;
    l->c = c;
    if (p->password.at)
        secret_set(&l->token, p->password.at, p->password.len);
    if (check_user(d, p, l->id, err) < 0 || check_proof(l, &proven, err) < 0) {
        link_free(l);
        return NULL;
    }
    if (proven)
        take_over(d, l->id);
    l->next = d->links;
    d->links = l;
    *ret_present = false;
    return l;
}

static void on_gone(void *x, const char *why)
{
    struct dps_link *l = x, **at = &l->d->links;

    (void)why;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    link_free(l);
}

/* ------------------------------------------------------------------------------------------
 * subscriptions */

static bool is_response(struct mqtt_text filter)
{
    return filter.len == strlen(response_filter) &&
           memcmp(filter.at, response_filter, filter.len) == 0;
}

static unsigned char on_subscribe(void *x, struct mqtt_text filter, unsigned qos)
{
    struct dps_link *l = x;

    if (!is_response(filter))
        return MQTT_SUBACK_FAILURE;
    l->subscribed = true;
    l->qos = qos ? 1 : 0;
    return (unsigned char)l->qos;
}

static void on_unsubscribe(void *x, struct mqtt_text filter)
{
    struct dps_link *l = x;

    if (is_response(filter))
        l->subscribed = false;
}

/* ------------------------------------------------------------------------------------------
 * requests */

/* The value of NAME in "a=1&b=2", as it stands there; false where it is absent or too long. */
static bool find_value(const char *query, const char *name, char *to, size_t size)
{
    size_t name_len = strlen(name);

    for (;;) {
        size_t len = strcspn(query, "&");

        if (len > name_len && memcmp(query, name, name_len) == 0 && query[name_len] == '=')
            return str_format(to, size, "%.*s", (int)(len - name_len - 1), query + name_len + 1);
        if (query[len] == '\0')
            return false;
        query += len + 1;
    }
}

static void respond(struct dps_link *l, const char *rid, const struct dps_reply *answer)
{
    char topic[TOPIC_MAX], retry[32] = "";
    auto_wiped_buf struct buf text = {0}; /* it may hold a key */

    if (!l->subscribed)
        return;
    if (answer->retry)
        (void)str_format(retry, sizeof(retry), "&retry-after=%d", DPS_RETRY_AFTER_S);
    (void)str_format(topic, sizeof(topic), "$dps/registrations/res/%d/?$rid=%s%s", answer->status,
                     rid, retry);
    json_print(&text, answer->body);
    (void)mqtt_conn_publish(l->c, topic, text.data, text.len, l->qos);
}

static void ask(struct dps_link *l, const struct mqtt_packet *p, const char *operation,
                struct dps_reply *ret)
{
    auto_json cJSON *body = NULL;
    struct err err = {0};
    struct dps_request q = {
        .id = l->id,
        .proof = {.token = l->token.data, .len = l->token.len, .tls = mqtt_conn_tls(l->c)},
    };

    if (operation) {
        dps_register_poll(l->d, &q, operation, ret);
        return;
    }
    if (p->payload.len > 0 && !(body = json_parse(p->payload.at, p->payload.len, &err))) {
        dps_reply_err(ret, DPS_ERR_INVALID, err.msg);
        return;
    }
    q.body = body;
    dps_register_device(l->d, &q, ret);
}

static bool on_publish(void *x, const struct mqtt_packet *p, struct err *err)
{
    struct dps_link *l = x;
    auto_dps_reply struct dps_reply answer = {0};
    char topic[TOPIC_MAX], rid[RID_MAX], operation[DPS_OPERATION_MAX] = "";
    bool polls, known = take_text(p->topic, topic, sizeof(topic));
    const char *query = known ? strchr(topic, '?') : NULL;

    polls = known && str_starts(topic, poll_topic);
    if (!query || (!polls && !str_starts(topic, register_topic))) {
        (void)err_set(err, ERR_INVALID, "registration %s published to an unknown topic", l->id);
        return false;
    }
    if (!find_value(query + 1, "$rid", rid, sizeof(rid))) {
        (void)err_set(err, ERR_INVALID, "registration %s sent a request without $rid", l->id);
        return false;
    }
    if (polls)
        (void)find_value(query + 1, "operationId", operation, sizeof(operation));
    ask(l, p, polls ? operation : NULL, &answer);
    respond(l, rid, &answer);
    return true;
}

const struct mqtt_head dps_mqtt_head = {
    .wants = wants,
    .connect = on_connect,
    .publish = on_publish,
    .subscribe = on_subscribe,
    .unsubscribe = on_unsubscribe,
    .gone = on_gone,
};
