/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_names - every name that leaves in a span or a metric: a private part of flow_otlp.
 *
 * Standard names where OpenTelemetry has them (semantic conventions 1.44), flow.* as other flow
 * tools emit them. They are expected to move: here, and nowhere else.
 */
#ifndef USER_FLOW_NAMES_H
#define USER_FLOW_NAMES_H

#include "otlp/otlp.h"

/* Spans: who */
#define NAME_SOURCE_ADDRESS OTLP_STR("source.address")
#define NAME_SOURCE_PORT OTLP_STR("source.port")
#define NAME_DESTINATION_ADDRESS OTLP_STR("destination.address")
#define NAME_DESTINATION_PORT OTLP_STR("destination.port")
#define NAME_CLIENT_ADDRESS OTLP_STR("client.address")
#define NAME_CLIENT_PORT OTLP_STR("client.port")
#define NAME_SERVER_ADDRESS OTLP_STR("server.address")
#define NAME_SERVER_PORT OTLP_STR("server.port")
#define NAME_DIRECTION OTLP_STR("flow.direction")
#define NAME_COMMUNITY_ID OTLP_STR("flow.community_id")
#define NAME_GENERATION OTLP_STR("flow.generation")

/* Spans and metrics: what and where */
#define NAME_TRANSPORT OTLP_STR("network.transport")
#define NAME_TYPE OTLP_STR("network.type")
#define NAME_INTERFACE OTLP_STR("network.interface.name")
#define NAME_IO_DIRECTION OTLP_STR("network.io.direction")

#define NAME_TENANT OTLP_STR("tenant")
#define NAME_TENANT_PEER OTLP_STR("tenant.peer")

/* Spans: how much, how it went */
#define NAME_PACKETS_TOTAL OTLP_STR("flow.packets.total")
#define NAME_BYTES_TOTAL OTLP_STR("flow.bytes.total")
#define NAME_REVERSE_PACKETS_TOTAL OTLP_STR("flow.reverse.packets.total")
#define NAME_REVERSE_BYTES_TOTAL OTLP_STR("flow.reverse.bytes.total")
#define NAME_PACKETS_DELTA OTLP_STR("flow.packets.delta")
#define NAME_BYTES_DELTA OTLP_STR("flow.bytes.delta")
#define NAME_REVERSE_PACKETS_DELTA OTLP_STR("flow.reverse.packets.delta")
#define NAME_REVERSE_BYTES_DELTA OTLP_STR("flow.reverse.bytes.delta")
#define NAME_END_REASON OTLP_STR("flow.end_reason")
#define NAME_INCOMPLETE OTLP_STR("flow.incomplete")
#define NAME_TCP_FLAGS OTLP_STR("flow.tcp.flags")
#define NAME_REVERSE_TCP_FLAGS OTLP_STR("flow.reverse.tcp.flags")
#define NAME_HANDSHAKE_SERVER OTLP_STR("flow.tcp.handshake.server.duration")
#define NAME_HANDSHAKE_CLIENT OTLP_STR("flow.tcp.handshake.client.duration")
#define NAME_HANDSHAKE_CLASS OTLP_STR("flow.tcp.handshake.class")
#define NAME_TCP_STATE OTLP_STR("flow.tcp.state")
#define NAME_TCP_RTT OTLP_STR("flow.tcp.rtt.smoothed")
#define NAME_REVERSE_TCP_RTT OTLP_STR("flow.reverse.tcp.rtt.smoothed")
#define NAME_TCP_RETRANSMISSIONS OTLP_STR("flow.tcp.retransmissions")
#define NAME_REVERSE_TCP_RETRANSMISSIONS OTLP_STR("flow.reverse.tcp.retransmissions")
#define NAME_TCP_OUT_OF_ORDER OTLP_STR("flow.tcp.out_of_order")
#define NAME_REVERSE_TCP_OUT_OF_ORDER OTLP_STR("flow.reverse.tcp.out_of_order")
#define NAME_TCP_ZERO_WINDOWS OTLP_STR("flow.tcp.zero_windows")
#define NAME_REVERSE_TCP_ZERO_WINDOWS OTLP_STR("flow.reverse.tcp.zero_windows")
#define NAME_RESPONSE OTLP_STR("flow.response.duration")
#define NAME_ECN OTLP_STR("flow.ecn")
#define NAME_FRAGMENTS OTLP_STR("flow.fragments")
#define NAME_TUNNEL_TYPE OTLP_STR("flow.tunnel.type")
#define NAME_TUNNEL_ID OTLP_STR("flow.tunnel.id")
#define NAME_ICMP_TYPE OTLP_STR("flow.icmp.type")
#define NAME_ICMP_CODE OTLP_STR("flow.icmp.code")
#define NAME_SAMPLING_MODE OTLP_STR("flow.sampling.mode")
#define NAME_SAMPLING_INTERVAL OTLP_STR("flow.sampling.interval")

/* Spans, packet mode: instead of what is exact in flow mode */
#define NAME_SAMPLED_PACKETS OTLP_STR("flow.sampled.packets")
#define NAME_SAMPLED_PACKETS_DELTA OTLP_STR("flow.sampled.packets.delta")
#define NAME_SAMPLED_BYTES OTLP_STR("flow.sampled.bytes")
#define NAME_SAMPLED_BYTES_DELTA OTLP_STR("flow.sampled.bytes.delta")
#define NAME_PACKETS_ESTIMATED OTLP_STR("flow.packets.estimated")
#define NAME_PACKETS_ESTIMATED_DELTA OTLP_STR("flow.packets.estimated.delta")
#define NAME_BYTES_ESTIMATED OTLP_STR("flow.bytes.estimated")
#define NAME_BYTES_ESTIMATED_DELTA OTLP_STR("flow.bytes.estimated.delta")
#define NAME_ESTIMATE_ERROR OTLP_STR("flow.estimate.error")
#define NAME_REVERSE_SAMPLED_PACKETS OTLP_STR("flow.reverse.sampled.packets")
#define NAME_REVERSE_SAMPLED_PACKETS_DELTA OTLP_STR("flow.reverse.sampled.packets.delta")
#define NAME_REVERSE_SAMPLED_BYTES OTLP_STR("flow.reverse.sampled.bytes")
#define NAME_REVERSE_SAMPLED_BYTES_DELTA OTLP_STR("flow.reverse.sampled.bytes.delta")
#define NAME_REVERSE_PACKETS_ESTIMATED OTLP_STR("flow.reverse.packets.estimated")
#define NAME_REVERSE_PACKETS_ESTIMATED_DELTA OTLP_STR("flow.reverse.packets.estimated.delta")
#define NAME_REVERSE_BYTES_ESTIMATED OTLP_STR("flow.reverse.bytes.estimated")
#define NAME_REVERSE_BYTES_ESTIMATED_DELTA OTLP_STR("flow.reverse.bytes.estimated.delta")
#define NAME_REVERSE_ESTIMATE_ERROR OTLP_STR("flow.reverse.estimate.error")

/* The span of a handshake, and what happens in it */
#define SPAN_HANDSHAKE OTLP_STR("tcp handshake")
#define EVENT_SYNACK OTLP_STR("tcp syn_ack")

/* What happens to a flow: events of its spans */
#define EVENT_RETRANSMISSION OTLP_STR("tcp retransmission")
#define EVENT_OUT_OF_ORDER OTLP_STR("tcp out_of_order")
#define EVENT_ZERO_WINDOW OTLP_STR("tcp zero_window")
#define EVENT_TCP_RESET OTLP_STR("tcp reset")
#define EVENT_CONGESTION OTLP_STR("ip congestion_experienced")
#define EVENT_ICMP_ERROR OTLP_STR("icmp error")
#define NAME_EVENT_FROM OTLP_STR("flow.event.from")
#define NAME_TCP_EVENT_COUNT OTLP_STR("flow.tcp.event.count")
#define NAME_ICMP_ERROR OTLP_STR("flow.icmp.error")
#define NAME_ICMP_REPORTER OTLP_STR("flow.icmp.reporter")
#define NAME_ICMP_MTU OTLP_STR("flow.icmp.mtu")

/* Spans: why a connection came to nothing (the status message) */
#define FAILURE_REFUSED OTLP_STR("connection refused")
#define FAILURE_RESET OTLP_STR("reset before data")
#define FAILURE_UNANSWERED OTLP_STR("SYN without answer") /* and ": ICMP …" where an error came */

/* Log records */
#define EVENT_REFUSED OTLP_STR("flow.connection.refused")
#define EVENT_RESET OTLP_STR("flow.connection.reset")
#define EVENT_UNANSWERED OTLP_STR("flow.connection.unanswered")
#define EVENT_LOSS OTLP_STR("ringspan.loss")
#define EVENT_CLOCK_STEP OTLP_STR("ringspan.clock.step")
#define NAME_LOSS_STAGE OTLP_STR("ringspan.stage")
#define NAME_LOSS_REASON OTLP_STR("ringspan.reason")
#define NAME_LOSS_COUNT OTLP_STR("ringspan.count")
#define EVENT_SAMPLING_CHANGE OTLP_STR("ringspan.sampling.change")
#define NAME_INTERVAL_BEFORE OTLP_STR("ringspan.sampling.interval.before")
#define NAME_SAMPLING_REASON OTLP_STR("ringspan.sampling.reason")
#define NAME_CLOCK_STEP_SECONDS OTLP_STR("ringspan.clock.step.seconds")

/* Metrics of the links */
#define NAME_XDP_PACKETS OTLP_STR("xdp.packets.total")
#define NAME_XDP_BYTES OTLP_STR("xdp.bytes.total")
#define NAME_XDP_RATE OTLP_STR("xdp.packets.rate")
#define NAME_XDP_SIZE OTLP_STR("xdp.packet.size")
#define NAME_XDP_SEGMENTS OTLP_STR("xdp.tcp.segments")
#define NAME_TCP_FLAG OTLP_STR("tcp.flag")

/* Metrics of flows, by what was asked for */
#define NAME_FLOW_PACKETS OTLP_STR("xdp.flow.packets")
#define NAME_FLOW_BYTES OTLP_STR("xdp.flow.bytes")
#define NAME_FLOW_COUNT OTLP_STR("xdp.flow.count")
#define NAME_SOURCE_SUBNET OTLP_STR("source.subnet")
#define NAME_DESTINATION_SUBNET OTLP_STR("destination.subnet")
#define NAME_OVERFLOW OTLP_STR("otel.metric.overflow")

/* Metrics of ringspan itself */
#define NAME_PACKETS OTLP_STR("ringspan.packets")
#define NAME_RECORDS OTLP_STR("ringspan.records")
#define NAME_RECORDS_HELD OTLP_STR("ringspan.records.held")
#define NAME_LOSSES OTLP_STR("ringspan.losses")
#define NAME_SPANS OTLP_STR("ringspan.spans")
#define NAME_FLOWS OTLP_STR("ringspan.flows")
#define NAME_FLOWS_HELD OTLP_STR("ringspan.flows.held")
#define NAME_RING_PRESSURE OTLP_STR("ringspan.ring.pressure")
#define NAME_RATE_IN_FORCE OTLP_STR("ringspan.sampling.interval")
#define NAME_SAMPLING_CHANGES OTLP_STR("ringspan.sampling.changes")
#define NAME_BUDGET_USED OTLP_STR("ringspan.sampling.budget.used")
#define NAME_BUDGET OTLP_STR("ringspan.budget")
#define NAME_QUEUE_ITEMS OTLP_STR("ringspan.queue.items")
#define NAME_QUEUE_BYTES OTLP_STR("ringspan.queue.bytes")
#define NAME_QUEUE_VOLATILE OTLP_STR("ringspan.queue.volatile")
#define NAME_QUEUE_CAPACITY OTLP_STR("ringspan.queue.capacity")
#define NAME_EXPORT_RETRIES OTLP_STR("ringspan.export.retries")
#define NAME_EXPORT_SENT OTLP_STR("ringspan.export.sent")
#define NAME_EXPORT_CONNECTS OTLP_STR("ringspan.export.connects")
#define NAME_SERIES_HELD OTLP_STR("ringspan.series.held")
#define NAME_SERIES_OVERFLOWED OTLP_STR("ringspan.series.overflowed")
#define NAME_STREAM_FLOWS OTLP_STR("ringspan.stream.flows")
#define NAME_STREAM_MESSAGES OTLP_STR("ringspan.stream.messages")
#define NAME_STREAM_SUBSCRIBERS OTLP_STR("ringspan.stream.subscribers")
#define NAME_PULL_REQUESTS OTLP_STR("ringspan.pull.requests")
#define NAME_STATUS_CODE OTLP_STR("http.response.status_code")
#define NAME_PACKET_DURATION OTLP_STR("ringspan.packet.duration")
#define NAME_CPU_TIME OTLP_STR("ringspan.process.cpu.time")
#define NAME_MEMORY OTLP_STR("ringspan.process.memory")
#define NAME_CLOCK_STEPS OTLP_STR("ringspan.clock.steps")
#define NAME_DESTINATION OTLP_STR("destination")
#define NAME_STAGE OTLP_STR("stage")
#define NAME_REASON OTLP_STR("reason")
#define NAME_SIGNAL OTLP_STR("signal")

/* Metrics of the export, as OpenTelemetry names them for SDKs */
#define SDK_NAME(rest) OTLP_STR("otel.sdk." rest)
#define NAME_COMPONENT_TYPE OTLP_STR("otel.component.type")
#define NAME_COMPONENT_NAME OTLP_STR("otel.component.name")
#define NAME_ERROR_TYPE OTLP_STR("error.type")

#endif /* USER_FLOW_NAMES_H */
