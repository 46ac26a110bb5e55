/* See cloud_error.h. Codes first, words after them: codes do not change with versions. */
#include "core/azure/cloud_error.h"

#include "core/base/attr.h"
#include "core/base/str.h"

#include <ctype.h>
#include <string.h>

#define CLOUD_TEXT_MAX 1024

static const struct cloud_error cloud_errors[] = {
    {"own_cert_expired", "the device's certificate expired",
     "the device's own certificate has expired",
     "it was not renewed in time; the machine's clock "
     "is ahead",
     "Check the clock; if it is right, give the device a new certificate.", false},
    /* The Device Provisioning Service: before the hub, whose codes it shares */
    {"dps_busy", "provisioning service is too busy|provisioning service answered 5",
     "the Device Provisioning Service is busy or has a fault of its own",
     "many devices register at once; an outage in the cloud",
     "Nothing: the runtime tries again by itself.", true},
    {"dps_refused", "provisioning service refused",
     "the Device Provisioning Service refused the device's key or certificate",
     "the key is of another enrolment, or is the group's own instead of the one derived for this "
     "device; the certificate is not of the enrolled authority; the machine's clock is wrong",
     "Check the clock, then compare the registration ID and the key or certificate with the "
     "enrolment.",
     false},
    {"dps_unknown", "provisioning service knows no",
     "the Device Provisioning Service has no enrolment for this device",
     "the ID scope or the registration ID is spelled differently; the enrolment was deleted",
     "Compare the ID scope and the registration ID with the service's portal page.", false},
    {"dps_disabled", "enrolment of this device disabled",
     "the device's enrolment is disabled in the Device Provisioning Service",
     "an administrator has disabled it", "Have the enrolment enabled, then try again.", false},
    {"dps_no_hub", "could not assign the device to a hub",
     "the Device Provisioning Service could not give the device a hub",
     "no hub is linked to the service; the allocation function refused; the hub is full",
     "Have the service's linked hubs and the enrolment's allocation checked.", false},
    {"dps_late", "has not assigned the device in time",
     "the Device Provisioning Service did not finish the assignment",
     "an allocation function that hangs; an outage in the cloud",
     "Wait; the runtime tries again by itself.", true},
    {"dps_tpm", "accept the tpm's answer|has a tpm's enrolment",
     "the TPM's proof does not fit the enrolment",
     "the enrolment was made with another TPM's endorsement key; the VM's TPM was made anew",
     "Enter this TPM's endorsement key in the enrolment.", false},
    {"tpm_missing", "no tpm can be used", "this machine has no TPM that can be used",
     "the VM was made without a TPM; another program holds it",
     "Give the VM a TPM, or provision with another method.", false},
    /* IoT Hub */
    {"quota_used_up", "403002|quota exceeded", "the IoT Hub's daily message quota is used up",
     "too many messages today for the hub's size",
     "Wait until 00:00 UTC, or have the hub enlarged.", true},
    {"device_unknown",
     "404001|devicenotfound|device not found|not registered|deleted in the hub|knows no iot edge "
     "device",
     "the IoT Hub does not know this device",
     "the device name is spelled differently (capital letters count); the string is of another "
     "hub; the device was deleted, or made without IoT Edge",
     "Compare the device name letter by letter with the hub's list, then enter the connection "
     "string again.",
     false},
    {"device_disabled", "401001|403001|disabled", "the device is disabled in the IoT Hub",
     "an administrator has disabled it", "Have it enabled in the IoT Hub, then try again.", false},
    {"key_refused",
     "401002|401003|401|not authorized|unauthorized|bad user name or password|bad username|"
     "connack 4|connack 5|return code 4|return code 5|token expired",
     "the IoT Hub refused the device's key",
     "the key is of another device or was renewed; the machine's clock is wrong; the device does "
     "not "
     "exist or is disabled",
     "Check the clock, then copy the device's connection string from the hub again.", false},
    {"throttled", "429|throttl|too many requests",
     "the IoT Hub is too busy with this account's requests", "many devices connect at once",
     "Nothing: the runtime tries again by itself.", true},
    {"hub_busy", "500|503|service unavailable|server busy|connack 3|return code 3",
     "the IoT Hub has a fault of its own at the moment", "an outage or maintenance in the cloud",
     "Wait; the runtime tries again by itself. Look at the cloud's status page if it lasts.", true},
    {"taken_over", "taken over|another connection|same client id",
     "another machine has connected with the same device name",
     "the connection string is in use twice, such as on a clone of this VM",
     "Give each machine a device of its own.", false},
    /* Proxies */
    {"proxy_login", "407|proxy authentication", "the proxy wants a user name and password",
     "the proxy's address was entered without them",
     "Enter the proxy as http://user:password@host:port.", false},
    {"proxy_forbids", "proxy 403|by proxy|from proxy",
     "the proxy does not let the connection through", "the proxy's rules do not list the hub",
     "Have the hub's name and port allowed on the proxy.", false},
    /* TLS */
    {"tls_clock", "not yet valid|certificate is not yet",
     "the server's certificate seems to be of the future", "the clock of this machine is behind",
     "Set the clock.", false},
    {"tls_expired", "certificate has expired|certificate expired",
     "the server's certificate seems to have expired",
     "the clock of this machine is ahead; the certificate really has expired",
     "Check the clock; if it is right, tell who runs the hub.", false},
    {"tls_name",
     "hostname mismatch|host name mismatch|ip address mismatch|no alternative certificate",
     "the server that answers is not the hub that was asked for",
     "the host name is wrong; something on the way redirects the connection",
     "Check the HostName in the connection string and the network's DNS.", false},
    {"tls_issuer",
     "unable to get local issuer|self-signed|self signed|unknown issuer|unknown ca|certificate "
     "verify "
     "failed|not trusted|cannot be trusted",
     "the server's certificate was issued by somebody this machine does not trust",
     "a proxy or firewall opens TLS connections and shows its own certificate; for the sandbox: "
     "its "
     "certificate was made anew",
     "Import the firewall's CA certificate, or provision to the sandbox again.", false},
    /* The network */
    {"dns",
     "could not resolve|name or service not known|no address associated|temporary failure in "
     "name resolution|name does not resolve|getaddrinfo|dns",
     "the hub's name could not be found",
     "no DNS on this network; the name is spelled wrong; the hub was deleted",
     "Check the HostName and the network's DNS settings.", true},
    {"refused", "connection refused|econnrefused", "nobody listens at the hub's address",
     "a firewall refuses the port; the sandbox is not running",
     "Have ports 8883 and 443 to the hub opened, or start the sandbox.", true},
    {"unreachable", "no route to host|network is unreachable|network unreachable",
     "there is no way to the hub from this network", "the cable or the gateway",
     "Check the network of the host.", true},
    {"timed_out", "timed out|timeout|did not answer|no answer", "the hub did not answer in time",
     "a firewall drops the packets; the network is very slow",
     "Have ports 8883 and 443 to the hub opened.", true},
    {"hung_up", "connection reset|closed the connection|connection lost|unexpected eof|broken pipe",
     "the connection to the hub was cut",
     "a firewall cuts it; the hub was restarted; the network is unsteady",
     "Nothing: the runtime tries again by itself. Look at the firewall if it goes on.", true},
    /* The runtime */
    {"no_deployment", "empty config", "the device has no deployment yet",
     "no modules were assigned to it in the hub",
     "Assign modules to the device, or have its administrator do it.", false},
    {"port_taken", "bind for |address already in use", "a port that a module wants is taken",
     "another module or program uses it", "Change the module's port in its deployment.", false},
    {"registry_login", "pull access denied|no basic auth credentials|unauthorized: authentication",
     "the image's registry refused the login", "the registry's user or password in the deployment",
     "Correct the registry's credentials in the deployment.", false},
};

/* Digits match only as a whole number: "401" is not in "14013". */
static bool word_in(const char *text, const char *word, size_t len)
{
    bool digits = isdigit((unsigned char)word[0]) && isdigit((unsigned char)word[len - 1]);
    for (const char *at = text; (at = memmem(at, strlen(at), word, len)) != NULL; at++) {
        if (!digits)
            return true;
        bool joined =
            (at > text && isdigit((unsigned char)at[-1])) || isdigit((unsigned char)at[len]);
        if (!joined)
            return true;
    }
    return false;
}

static bool row_matches(const struct cloud_error *row, const char *text)
{
    for (const char *word = row->match; *word;) {
        size_t len = strcspn(word, "|");
        if (word_in(text, word, len))
            return true;
        word += len + (word[len] == '|');
    }
    return false;
}

const struct cloud_error *cloud_error_find(const char *text)
{
    char lower[CLOUD_TEXT_MAX];
    STR_SET(lower, text);
    for (char *p = lower; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    for (size_t i = 0; i < ARRAY_LEN(cloud_errors); i++)
        if (row_matches(&cloud_errors[i], lower))
            return &cloud_errors[i];
    return NULL;
}

const struct cloud_error *cloud_error_at(size_t index)
{
    return index < ARRAY_LEN(cloud_errors) ? &cloud_errors[index] : NULL;
}
