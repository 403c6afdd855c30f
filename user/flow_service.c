/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_service.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>

#define OVER_TCP 1
#define OVER_UDP 2
#define OVER_BOTH (OVER_TCP | OVER_UDP)

struct service {
	uint16_t port;
	uint8_t over;
	const char *name;
};

/* Sorted by port. */
static const struct service services[] = {
	{20, OVER_TCP, "ftp-data"},
	{21, OVER_TCP, "ftp"},
	{22, OVER_TCP, "ssh"},
	{23, OVER_TCP, "telnet"},
	{25, OVER_TCP, "smtp"},
	{43, OVER_TCP, "whois"},
	{49, OVER_TCP, "tacacs"},
	{53, OVER_BOTH, "domain"},
	{67, OVER_UDP, "bootps"},
	{68, OVER_UDP, "bootpc"},
	{69, OVER_UDP, "tftp"},
	{80, OVER_TCP, "http"},
	{88, OVER_BOTH, "kerberos"},
	{102, OVER_TCP, "iso-tsap"},
	{110, OVER_TCP, "pop3"},
	{111, OVER_BOTH, "sunrpc"},
	{119, OVER_TCP, "nntp"},
	{123, OVER_UDP, "ntp"},
	{135, OVER_TCP, "epmap"},
	{137, OVER_UDP, "netbios-ns"},
	{138, OVER_UDP, "netbios-dgm"},
	{139, OVER_TCP, "netbios-ssn"},
	{143, OVER_TCP, "imap"},
	{161, OVER_UDP, "snmp"},
	{162, OVER_UDP, "snmptrap"},
	{179, OVER_TCP, "bgp"},
	{389, OVER_BOTH, "ldap"},
	{443, OVER_BOTH, "https"},
	{445, OVER_TCP, "microsoft-ds"},
	{464, OVER_BOTH, "kpasswd"},
	{465, OVER_TCP, "submissions"},
	{500, OVER_UDP, "isakmp"},
	{502, OVER_TCP, "modbus"},
	{514, OVER_UDP, "syslog"},
	{515, OVER_TCP, "printer"},
	{520, OVER_UDP, "rip"},
	{546, OVER_UDP, "dhcpv6-client"},
	{547, OVER_UDP, "dhcpv6-server"},
	{554, OVER_TCP, "rtsp"},
	{587, OVER_TCP, "submission"},
	{623, OVER_UDP, "ipmi"},
	{631, OVER_BOTH, "ipp"},
	{636, OVER_TCP, "ldaps"},
	{853, OVER_BOTH, "domain-s"},
	{873, OVER_TCP, "rsync"},
	{993, OVER_TCP, "imaps"},
	{995, OVER_TCP, "pop3s"},
	{1080, OVER_TCP, "socks"},
	{1194, OVER_BOTH, "openvpn"},
	{1433, OVER_TCP, "mssql"},
	{1521, OVER_TCP, "oracle"},
	{1812, OVER_UDP, "radius"},
	{1813, OVER_UDP, "radius-acct"},
	{1883, OVER_TCP, "mqtt"},
	{2049, OVER_BOTH, "nfs"},
	{2055, OVER_UDP, "netflow"},
	{2379, OVER_TCP, "etcd"},
	{3128, OVER_TCP, "http-proxy"},
	{3260, OVER_TCP, "iscsi"},
	{3306, OVER_TCP, "mysql"},
	{3389, OVER_BOTH, "rdp"},
	{3478, OVER_BOTH, "stun"},
	{3784, OVER_UDP, "bfd"},
	{4317, OVER_TCP, "otlp"},
	{4318, OVER_TCP, "otlp-http"},
	{4500, OVER_UDP, "ipsec-nat-t"},
	{4739, OVER_BOTH, "ipfix"},
	{4789, OVER_UDP, "vxlan"},
	{5060, OVER_BOTH, "sip"},
	{5061, OVER_TCP, "sips"},
	{5201, OVER_BOTH, "iperf3"},
	{5222, OVER_TCP, "xmpp"},
	{5353, OVER_UDP, "mdns"},
	{5355, OVER_UDP, "llmnr"},
	{5432, OVER_TCP, "postgresql"},
	{5672, OVER_TCP, "amqp"},
	{5900, OVER_TCP, "vnc"},
	{6081, OVER_UDP, "geneve"},
	{6343, OVER_UDP, "sflow"},
	{6379, OVER_TCP, "redis"},
	{6443, OVER_TCP, "kubernetes"},
	{8080, OVER_TCP, "http-alt"},
	{8443, OVER_TCP, "https-alt"},
	{8883, OVER_TCP, "mqtts"},
	{9092, OVER_TCP, "kafka"},
	{9200, OVER_TCP, "elasticsearch"},
	{11211, OVER_BOTH, "memcached"},
	{27017, OVER_TCP, "mongodb"},
	{51820, OVER_UDP, "wireguard"},
};

static int compare(const void *a, const void *b)
{
	return *(const uint16_t *)a - ((const struct service *)b)->port;
}

const char *flow_service_name(uint8_t proto, uint16_t port)
{
	uint8_t over = proto == IPPROTO_TCP ? OVER_TCP : proto == IPPROTO_UDP ? OVER_UDP : 0;
	const struct service *s = bsearch(&port, services, sizeof(services) / sizeof(*services),
					  sizeof(*services), compare);

	return s && (s->over & over) ? s->name : NULL;
}

const char *flow_service_transport(uint8_t proto, uint8_t family)
{
	switch (proto) {
	case IPPROTO_ICMP:
		return family == 4 ? "icmp" : "other";
	case IPPROTO_ICMPV6:
		return family == 6 ? "icmpv6" : "other";
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_IGMP:
		return "igmp";
	case IPPROTO_IPIP:
		return "ipip";
	case IPPROTO_IPV6:
		return "ipv6";
	case IPPROTO_DCCP:
		return "dccp";
	case IPPROTO_GRE:
		return "gre";
	case IPPROTO_ESP:
		return "esp";
	case IPPROTO_AH:
		return "ah";
	case 88:
		return "eigrp";
	case 89:
		return "ospf";
	case IPPROTO_PIM:
		return "pim";
	case 112:
		return "vrrp";
	case 115:
		return "l2tp";
	case IPPROTO_UDPLITE:
		return "udplite";
	}
	return "other";
}
