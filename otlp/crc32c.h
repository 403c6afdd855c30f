/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * crc32c - the CRC of Castagnoli (RFC 3720, section 12.1 and appendix B.4). Pure, any thread.
 */
#ifndef OTLP_CRC32C_H
#define OTLP_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of @size bytes that follow those of which @crc is the CRC; 0: none do. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

#endif /* OTLP_CRC32C_H */
