/* The two ways a guest reaches the network: QEMU's user network with one forwarded port, and
 * libvirt's NAT network. Blocking; any thread. */
#ifndef BERTH_VM_NETWORK_H
#define BERTH_VM_NETWORK_H

#include "vm/conn.h"

#include <stddef.h>

#define NETWORK_NAT_NAME    "default"
#define NETWORK_USER_HOST   "10.0.2.2" /* this host as the guest of a user network sees it */
#define NETWORK_ADDRESS_MAX 46

/* A free TCP port of 127.0.0.1 that no VM's record holds; 0 with ERR_NO_SPACE where none is left.
 */
uint16_t network_pick_port(struct err *err);
bool network_port_free(uint16_t port);

/* The NAT network defined and active. ERR_UNSUPPORTED with what is missing (iptables, dnsmasq,
 * rights). */
int network_nat_ready(struct vm_conn *conn, struct err *err);

/* This host's address on the NAT network: what the guest calls for the sandbox. */
int network_nat_gateway(struct vm_conn *conn, char to[NETWORK_ADDRESS_MAX], struct err *err);

/* The guest's IPv4 address by its DHCP lease. ERR_NOT_FOUND while it has none. */
int network_nat_address(struct vm_conn *conn, const char *mac, char to[NETWORK_ADDRESS_MAX],
                        struct err *err);

#endif
