/* See network.h. */
#include "vm/network.h"

#include "core/base/mem.h"
#include "core/base/random.h"
#include "core/base/str.h"
#include "vm/domain_xml.h"
#include "vm/record.h"
#include "vm/virt.h"

#include <arpa/inet.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/socket.h>

/* Below Linux' range for outgoing connections (32768...), which would take a port while its VM is
 * off. */
#define PORT_FIRST 22000
#define PORT_COUNT 8000

/* As Debian ships it, for where somebody removed it. */
static const char nat_network_xml[] =
    "<network>\n"
    "  <name>" NETWORK_NAT_NAME "</name>\n"
    "  <forward mode='nat'/>\n"
    "  <bridge name='virbr0' stp='on' delay='0'/>\n"
    "  <ip address='192.168.122.1' netmask='255.255.255.0'>\n"
    "    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>\n"
    "  </ip>\n"
    "</network>\n";

/* ------------------------------------------------------------------------------- user network */

bool network_port_free(uint16_t port)
{
    auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    /* As QEMU does: connections of an earlier run in TIME_WAIT do not count. */
    return fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
           bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 1) == 0;
}

static bool port_is_held(uint16_t port)
{
    char names[MODEL_VMS_MAX * 4][MODEL_NAME_MAX];
    size_t n = record_list(names, ARRAY_LEN(names));
    for (size_t i = 0; i < n; i++) {
        struct vm_record r;
        if (record_load(names[i], &r, NULL) == 0 && r.ssh_port == port)
            return true;
    }
    return false;
}

uint16_t network_pick_port(struct err *err)
{
    uint32_t start = (uint32_t)random_below(PORT_COUNT);
    for (uint32_t i = 0; i < PORT_COUNT; i++) {
        uint16_t port = (uint16_t)(PORT_FIRST + (start + i) % PORT_COUNT);
        if (network_port_free(port) && !port_is_held(port))
            return port;
    }
    err_set(err, ERR_NO_SPACE, "no port between %d and %d is free", PORT_FIRST,
            PORT_FIRST + PORT_COUNT - 1);
    return 0;
}

/* -------------------------------------------------------------------------------- NAT network */

static virNetworkPtr find_network(struct vm_conn *conn, struct err *err)
{
    virNetworkPtr network = virNetworkLookupByName(vm_conn_virt(conn), NETWORK_NAT_NAME);
    if (!network)
        virt_err(err, "find network " NETWORK_NAT_NAME);
    return network;
}

static int explain_start(struct vm_conn *conn, struct err *err)
{
    virt_err(err, "start network " NETWORK_NAT_NAME);
    if (vm_conn_session(conn))
        return err_hint(err, "The NAT network needs root. Choose the user network in the plan.");
    if (err && (strstr(err->msg, "iptables") || strstr(err->msg, "dnsmasq")))
        return err_hint(
            err, "Install them: apt-get install iptables dnsmasq-base. Then restart libvirt: "
                 "systemctl restart libvirtd.");
    if (err && strstr(err->msg, "already in use"))
        return err_hint(
            err, "Another network of this computer has those addresses. Choose the user network "
                 "in the plan, or change it: virsh net-edit " NETWORK_NAT_NAME);
    return err_hint(err, "Choose the user network in the plan: it needs nothing from the host.");
}

int network_nat_ready(struct vm_conn *conn, struct err *err)
{
    auto_virt_network virNetworkPtr network =
        virNetworkLookupByName(vm_conn_virt(conn), NETWORK_NAT_NAME);
    if (!network && virt_code() == VIR_ERR_NO_NETWORK)
        network = virNetworkDefineXML(vm_conn_virt(conn), nat_network_xml);
    if (!network)
        return explain_start(conn, err);
    if (virNetworkIsActive(network) == 1 || virNetworkCreate(network) == 0 ||
        virNetworkIsActive(network) == 1)
        return 0;
    return explain_start(conn, err);
}

int network_nat_gateway(struct vm_conn *conn, char to[NETWORK_ADDRESS_MAX], struct err *err)
{
    auto_virt_network virNetworkPtr network = find_network(conn, err);
    if (!network)
        return -1;
    auto_free char *xml = virNetworkGetXMLDesc(network, 0);
    if (!xml)
        return virt_err(err, "read network " NETWORK_NAT_NAME);
    for (const char *at = xml; (at = strstr(at, "<ip ")); at++) {
        char address[NETWORK_ADDRESS_MAX];
        struct in_addr parsed;
        if (domain_xml_attr(at, "address", address, sizeof(address)) &&
            inet_pton(AF_INET, address, &parsed) == 1) {
            (void)str_copy(to, NETWORK_ADDRESS_MAX, address);
            return 0;
        }
    }
    return err_set(err, ERR_NOT_FOUND, "network " NETWORK_NAT_NAME " has no IPv4 address");
}

int network_nat_address(struct vm_conn *conn, const char *mac, char to[NETWORK_ADDRESS_MAX],
                        struct err *err)
{
    auto_virt_network virNetworkPtr network = find_network(conn, err);
    if (!network)
        return -1;
    virNetworkDHCPLeasePtr *leases = NULL;
    int n = virNetworkGetDHCPLeases(network, mac, &leases, 0);
    if (n < 0)
        return virt_err(err, "read the leases of network " NETWORK_NAT_NAME);
    bool found = false;
    long long latest = -1;
    for (int i = 0; i < n; i++) {
        const virNetworkDHCPLease *lease = leases[i];
        if (lease->type == VIR_IP_ADDR_TYPE_IPV4 && lease->expirytime > latest) {
            latest = lease->expirytime;
            found = str_copy(to, NETWORK_ADDRESS_MAX, lease->ipaddr);
        }
        virNetworkDHCPLeaseFree(leases[i]);
    }
    free(leases);
    return found ? 0 : err_set(err, ERR_NOT_FOUND, "the VM has asked for no address yet");
}
