/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * encode_samples DIR - writes the same random requests twice, for an independent decoder to judge:
 * DIR/ours by otlp/encode and DIR/reference by nanopb, as traces-0.bin, metrics-1.bin, logs-2.bin …
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "otlp/encode.h"
#include "tests/otlp_reference.h"
#include "tests/otlp_samples.h"

#define REQUESTS 60
#define ITEMS 150
#define CAP (64 << 20)

static const char *const signal_names[OTLP_SIGNAL_MAX] = {"traces", "metrics", "logs"};

static size_t encode(const struct otlp_source *source, const struct otlp_limits *limits,
		     enum otlp_signal signal, const void *items, uint8_t *data)
{
	struct otlp_encoder *e;
	struct otlp_batch b;
	int err = otlp_encoder_create(&e, source);
	size_t i;

	if (!err)
		otlp_encoder_limit(e, limits);
	if (!err)
		err = otlp_batch_begin(&b, e, signal, data, CAP);
	for (i = 0; !err && i < ITEMS; i++) {
		if (signal == OTLP_TRACES)
			err = otlp_batch_add_span(&b, (const struct otlp_span *)items + i);
		else if (signal == OTLP_METRICS)
			err = otlp_batch_add_metric(&b, (const struct otlp_metric *)items + i);
		else
			err = otlp_batch_add_log(&b, (const struct otlp_log *)items + i);
	}
	if (err)
		errx(EXIT_FAILURE, "encoding %s: error %d", signal_names[signal], err);
	otlp_encoder_destroy(e);
	return otlp_batch_end(&b);
}

static void write_file(const char *dir, const char *encoder, enum otlp_signal signal,
		       unsigned number, const uint8_t *data, size_t size)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, encoder);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s-%u.bin", dir, encoder, signal_names[signal], number);
	f = fopen(path, "wb");
	if (!f || fwrite(data, 1, size, f) != size || fclose(f))
		err(EXIT_FAILURE, "%s", path);
}

int main(int argc, char **argv)
{
	uint8_t *data = malloc(CAP);
	unsigned n;

	if (argc != 2 || !data)
		errx(EXIT_FAILURE, "usage: encode_samples DIR");
	for (n = 0; n < REQUESTS; n++) {
		enum otlp_signal signal = (enum otlp_signal)(n % OTLP_SIGNAL_MAX);
		struct otlp_samples *s = otlp_samples_create(1000 + n);
		const struct otlp_source *source = otlp_samples_source(s);
		const void *items = otlp_samples_items(s, signal, ITEMS);
		const struct otlp_limits *limits = otlp_samples_limits(s);
		size_t size = encode(source, limits, signal, items, data);

		write_file(argv[1], "ours", signal, n, data, size);
		size = otlp_reference_encode(source, limits, signal, items, ITEMS, data, CAP);
		if (size == 0)
			errx(EXIT_FAILURE, "the reference failed");
		write_file(argv[1], "reference", signal, n, data, size);
		otlp_samples_destroy(s);
	}
	free(data);
	return EXIT_SUCCESS;
}
